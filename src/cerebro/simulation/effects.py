"""Every number of the simulated physiology and behaviour, each with the paper or measurement behind it.

The values were set from the literature before anything was trained on them. Most papers report a direction
and a statistic rather than a microvolt value; then the sign is theirs and the size is set so that the
reported correlation or ratio comes out. A constant whose comment says *favourable* lies at the optimistic
end of what is reported, because a population of two dozen would otherwise show nothing at all.

`measured` means: computed from the labels or events of real HBN releases (no signals), or a published
reanalysis of HBN spectra.
"""

# --- Who takes part -------------------------------------------------------------------------------------

AGE_RANGE = (5.0, 22.0)
AGE_SHAPE, AGE_SCALE = 2.069, 2.631  # gamma above 5, cut at 22: mean 10.25, sd 3.40, measured (R1 to R11)
MALE_SHARE = 0.66  # measured
FACTORS = ("p_factor", "attention", "internalizing", "externalizing")
FACTOR_SD = (0.87, 0.86, 0.77, 0.76)  # measured
CORRELATIONS = {  # measured: externalizing in all releases, the others in release 1 (n = 136)
    ("age", "male"): -0.15,
    ("age", "p_factor"): -0.09,
    ("age", "attention"): -0.14,
    ("age", "internalizing"): 0.12,
    ("age", "externalizing"): -0.24,
    ("male", "p_factor"): 0.15,
    ("male", "attention"): 0.14,
    ("male", "internalizing"): -0.10,
    ("male", "externalizing"): 0.14,
    ("p_factor", "attention"): 0.32,
    ("p_factor", "internalizing"): 0.31,
    ("p_factor", "externalizing"): 0.20,
    ("attention", "internalizing"): 0.17,
    ("attention", "externalizing"): -0.08,
    ("internalizing", "externalizing"): -0.26,
}
MISSING_FACTORS = 0.03  # measured: 1.2 % over all releases, 2.9 % in release 1

# --- Head -----------------------------------------------------------------------------------------------

HEAD_RADIUS_AT_5 = 0.0812  # m; circumference 51 cm: Nellhaus (1968), Pediatrics 41, 106
HEAD_RADIUS_ADULT = (0.0907, 0.0875)  # m, male and female; 57 and 55 cm: Nellhaus (1968)
HEAD_GROWTH_YEARS = 6.0  # time constant that meets Nellhaus' curves at 10 and 15 years within 5 mm
HEAD_RADIUS_SD = 0.0022  # m; sd of circumference 1.4 cm: Nellhaus (1968)
CAP_ROTATION_DEG = 3.0  # how far a net sits from its ideal place; about 5 mm on the scalp
ELECTRODE_JITTER_DEG = 2.0  # individual electrodes, about 3 mm: Russell et al. (2005), Clin Neurophysiol 116
SOURCE_JITTER_DEG = 5.0  # individual anatomy: where the same area lies
ORIENTATION_JITTER_DEG = 15.0  # individual folding: which way it points

# --- Ongoing activity -----------------------------------------------------------------------------------

# Eyes-closed peak frequency by age, its sd and the sex difference: measured, specparam reanalysis of 1,885
# HBN subjects; the same rise in Cellier et al. (2021), Dev Cogn Neurosci 50 and Tröndle et al. (2022), eLife 11.
ALPHA_HZ_BY_AGE = ((5.5, 8.79), (7.5, 9.17), (9.5, 9.50), (11.5, 9.79), (14.0, 9.86), (18.5, 9.73))
ALPHA_HZ_SD = 0.75
ALPHA_HZ_MALE = 0.15
ALPHA_HZ_FACTORS = (-0.12, -0.08, -0.05, -0.08)  # r with each factor at constant age: measured, n = 545
ALPHA_HZ_ADULT_DECLINE = 0.02  # Hz a year above 40: Scally et al. (2018), Neurobiol Aging 71
ALPHA_BANDWIDTH_HZ = (
    0.7  # sd of the spectral peak; width about 1.6 Hz in Donoghue et al. (2020), Nat Neurosci 23
)
ALPHA_HARMONIC = 0.2  # amplitude at twice the frequency: Schaworonkow & Nikulin (2019), PLoS Comput Biol 15
ALPHA_UV = (
    17.0  # RMS at the best electrode, eyes closed: children's 30 to 50 µV peak to peak, Niedermeyer (2005)
)
ALPHA_LOG_SD = (
    0.35  # alpha amplitude differs most between people; heritable: Smit et al. (2006), Behav Genet 36
)
ALPHA_EYES_OPEN = (
    0.5  # amplitude left with eyes open: Barry et al. (2009), Clin Neurophysiol 120, 1806 (children
)
# of 8 to 12 years, all of the scalp) and Barry et al. (2007), ibid. 118 (adults); favourable: the posterior value

# The aperiodic part flattens and falls with age: Cellier et al. (2021); Hill et al. (2022), Dev Cogn Neurosci
# 54; Tröndle et al. (2022); in adults Voytek et al. (2015), J Neurosci 35 and Donoghue et al. (2020).
EXPONENT_AT_10 = 1.7
EXPONENT_PER_YEAR = -0.035  # up to 22 years; r with age about -.5: favourable
EXPONENT_SD = 0.20
EXPONENT_ADULT, EXPONENT_ADULT_PER_YEAR = 1.3, -0.006
BACKGROUND_UV_AT_10 = 14.0  # RMS over the scalp, 0.5 to 50 Hz, average reference
BACKGROUND_LOG_PER_YEAR = -0.035  # absolute power falls by half from 5 to 16 years: Gasser et al. (1988),
# Electroencephalogr Clin Neurophysiol 69; Tröndle et al. (2022) (offset)
BACKGROUND_LOG_SD = 0.20
ADULT_AGE = 22.0  # development ends; adults of the TUH corpus keep its last value
BACKGROUND_SOURCES = 60

MU_UV, BETA_UV = 4.0, 2.5  # RMS over sensorimotor cortex at rest: Pfurtscheller & Lopes da Silva (1999),
# Clin Neurophysiol 110
MU_HZ_ABOVE_ALPHA = 0.5
BETA_HZ, BETA_BANDWIDTH_HZ = 20.0, 2.0
BETA_FEMALE = (
    1.25  # 20 to 25 Hz tells the sexes apart: van Putten et al. (2018), Sci Rep 8, which gives the band;
)
# that girls have more is our choice, and favourable in size
CLINICAL_SLOWING = (
    0.25  # share of TUH patients with a slow background: abnormal records are about half of the
)
# corpus, a part of these diffusely slow (Obeid & Picone, 2016, Front Neurosci 10)
CLINICAL_SLOWING_HZ = -2.0

# --- Contrast change detection: behaviour ---------------------------------------------------------------

# Quantiles of the reaction time in R5 (15,144 trials), measured; 2.4 s is the end of the target.
REACTION_TIME_QUANTILES = (
    (0.0, 0.02), (0.007, 0.20), (0.01, 0.27), (0.05, 0.96), (0.25, 1.36),
    (0.50, 1.60), (0.75, 1.85), (0.95, 2.20), (0.99, 2.35), (1.0, 2.398),
)  # fmt: skip
SUBJECT_SHARE = 0.21  # of the variance lies between subjects: measured
LAG_1 = 0.11  # of a subject's own deviations, so that all trials together show the measured .3
SPEED_AGE = -0.31  # r of a subject's mean with age: measured
SPEED_EXTERNALIZING = 0.11  # the same with externalizing: measured
WRONG_SHARE, WRONG_FASTER = 0.105, 0.07  # 8 to 13 % wrong, .07 s faster: measured
MISS_SHARE = 0.09  # no press within the target; half of these press late: measured, release 1
EARLY_SHARE = 0.08  # a press before the target: measured, release 1
REPEAT_SHARE = 0.079  # a second press after the first: measured
TARGET_DELAYS = (2.8, 4.4, 6.0)  # s from trial start to target, equally often: HBN's task description
TARGET_SECONDS = 2.4  # 1.6 s of rising and 0.8 s of falling contrast: ibid.
CONTRAST_RISE_SECONDS = 1.6

# --- Contrast change detection: brain -------------------------------------------------------------------

# A centro-parietal positivity grows from the start of the evidence and peaks at the press: O'Connell, Dockree &
# Kelly (2012), Nat Neurosci 15, 1729 (this very task); Twomey et al. (2015), Eur J Neurosci 42 (it is the P3b).
CPP_UV_AT_10 = 16.0  # favourable: children's visual P3b of 10 to 20 µV. It falls with age to about 10 µV:
CPP_UV_PER_YEAR = -0.45  # Rojas-Benjumea et al. (2015), Behav Brain Funct 11, 22
CPP_LOG_SD_SUBJECT, CPP_LOG_SD_TRIAL = 0.25, 0.20  # the peak varies little from trial to trial (a bound)
CPP_ONSET = 0.25  # s after the change begins
CPP_DECAY = 0.20  # s after the press
CPP_EXTERNALIZING = (
    -0.125
)  # r: d = .252 less P3 in antisocial behaviour, Gao & Raine (2009), Biol Psychol 82, 199
# Mu and beta fall contralaterally before the press and rebound after it: Pfurtscheller & Lopes da Silva (1999);
# O'Connell et al. (2012); children: Trevarrow et al. (2019), NeuroImage 184.
ERD_CONTRALATERAL, ERD_IPSILATERAL = 0.6, 0.35  # share of amplitude lost at the press; favourable
ERD_SECONDS = 0.9  # how long before the press it begins
REBOUND, REBOUND_PEAK, REBOUND_WIDTH = 0.6, 0.75, 0.25  # share of amplitude gained, s after the press, s
REBOUND_PER_YEAR = 0.05  # grows with age: Gaetz et al. (2010), NeuroImage 51, 792; Trevarrow et al. (2019)
MOTOR_UV, MOTOR_SECONDS = 5.0, 0.4  # lateralised readiness potential: Coles (1989), Psychophysiology 26
SSVEP_HZ = (20.0, 25.0)  # left- and right-tilted grating: HBN's task description
SSVEP_UV = 1.5  # at full contrast: O'Connell et al. (2012)
FEEDBACK_UV = 8.0  # occipital response to the smiley or sad face at the end of the target
FEEDBACK_NEGATIVITY_UV = 5.0  # after a sad face: Miltner et al. (1997), J Cogn Neurosci 9

# --- Movies ---------------------------------------------------------------------------------------------

# Activity driven by the film is shared by those who watch it: Dmochowski et al. (2012), Front Hum Neurosci 6;
# more so in children and, among these, boys: Petroni et al. (2018), eNeuro 5.
MOVIE_UV_AT_10 = (
    6.0  # RMS at the best electrode. Favourable: correlations between two subjects of about .1 at the
)
# best electrodes, where components reach .01 to .1 in the papers
MOVIE_LOG_PER_YEAR = -0.03
MOVIE_FEMALE = 0.9
MOVIE_LOG_SD = 0.25
MOVIE_ATTENTION = -0.10  # r with attention problems; attention raises correlation: Ki, Kelly & Parra (2016),
# J Neurosci 36. The size is that of the factors' other correlations with EEG
MOVIE_BAND_HZ = (0.5, 12.0)
MOVIE_LATENCY_SD = 0.012  # s between subjects
MOVIE_LATENCY_PER_YEAR = (
    -0.002
)  # s: visual responses get faster in childhood, Lippé et al. (2007), Front Hum Neurosci

# --- Artefacts ------------------------------------------------------------------------------------------

BLINK_UV, BLINK_SECONDS = 120.0, 0.30  # at the forehead: Croft & Barry (2000), Neurophysiol Clin 30
BLINKS_PER_MINUTE = 10.0  # children; Zametkin et al. (1979), J Am Acad Child Psychiatry 18
SACCADE_UV, SACCADES_PER_MINUTE = 25.0, 15.0  # small ones, while watching
MUSCLE_UV, MUSCLE_PER_MINUTE = 25.0, 2.0  # RMS of a burst over the temples: Goncharova et al. (2003), Clin
# Neurophysiol 114
SENSOR_NOISE_UV = 1.2  # RMS, 0.5 to 50 Hz: high-impedance nets, Ferree et al. (2001), Clin Neurophysiol 112
LINE_HZ, LINE_UV = 60.0, 1.5  # mean over electrodes, which differ a lot
DRIFT_UV = 30.0  # RMS below 0.3 Hz, raw recordings only
FAULTY_CHANNELS = 2.0  # mean number in a 129-channel recording: flat, popping or noisy in equal parts
CLINICAL_FAULTY_CHANNELS = 0.3
POP_UV = 150.0
