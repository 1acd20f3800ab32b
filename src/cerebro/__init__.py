"""cerebro: from raw EEG archives to trained encoders and a scored challenge submission."""

__version__ = "0.1.0"
