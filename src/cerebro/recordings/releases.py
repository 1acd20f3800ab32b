"""The public releases of HBN-EEG and their accession numbers on OpenNeuro."""

ACCESSIONS = {
    f"R{number}": f"ds{accession:06d}"
    for number, accession in enumerate((*range(5505, 5513), 5514, 5515, 5516), start=1)
}
"""R1 to R11 (https://openneuro.org/search?query=HBN-EEG); ds005512 is followed by ds005514."""
