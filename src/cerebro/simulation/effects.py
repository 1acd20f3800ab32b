"""Every number of the simulated physiology and behaviour, each with the paper or measurement behind it.

The values were set from the literature before anything was trained on them. Most papers report a direction
and a statistic rather than a microvolt value; then the sign is theirs, and the size is set so that the
reported correlation or ratio comes out. A constant whose comment says *favourable* lies at the optimistic
end of what is reported, because a population of two dozen would otherwise show nothing at all; one whose
comment says *assumed* has no source, and nothing rests on it.

`measured` means: computed from the labels and events of real HBN releases, or from a published reanalysis
of their spectra.
"""

# --- Who takes part -------------------------------------------------------------------------------------

AGE_RANGE = (5.0, 22.0)
# A gamma distribution above the youngest age, cut at the oldest: mean 10.25, sd 3.40, measured (R1 to R11).
AGE_SHAPE, AGE_SCALE = 2.069, 2.631
MALE_SHARE = 0.66  # measured
FACTORS = ("p_factor", "attention", "internalizing", "externalizing")
FACTOR_SD = (0.87, 0.86, 0.77, 0.76)  # measured
# Measured: those of externalizing with age and the factors in all releases, the others in R1 (n = 136).
CORRELATIONS = {
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
# Measured: 1.2 % over all releases, 2.9 % in R1; raised, so that a population of two dozen has such subjects.
MISSING_FACTORS = 0.05
PATIENT_AGE_MEAN, PATIENT_AGE_SD = 50.0, 19.0  # TUH: Obeid & Picone (2016), Front Neurosci 10, 196
PATIENT_AGE_RANGE = (16.0, 89.0)

# --- Head -----------------------------------------------------------------------------------------------

# Metres. Circumferences of 51 cm at 5 years, 57 (men) and 55 cm (women): Nellhaus (1968), Pediatrics 41, 106.
HEAD_RADIUS_AT_5 = 0.0812
HEAD_RADIUS_MALE, HEAD_RADIUS_FEMALE = 0.0907, 0.0875
HEAD_GROWTH_YEARS = 6.0  # time constant that meets the same curves at 10 and 15 years within 5 mm
HEAD_RADIUS_SD = 0.0022  # circumference: 1.4 cm, ibid.
# Degrees; on the scalp 5 mm for the whole cap, 3 mm for an electrode: Russell et al. (2005), Clin
# Neurophysiol 116, 1130.
CAP_ROTATION_DEG = 3.0
ELECTRODE_JITTER_DEG = 2.0
# Degrees; where an individual's areas lie, and which way their cortex points: assumed.
SOURCE_JITTER_DEG = 5.0
ORIENTATION_JITTER_DEG = 15.0

# --- Ongoing activity -----------------------------------------------------------------------------------

# Eyes-closed peak frequency by age, its sd, the sex difference, and r with each factor at constant age:
# measured (1,885 subjects, the factors 545). The same rise in Cellier et al. (2021), Dev Cogn Neurosci 50,
# 100969 and Tröndle et al. (2022), eLife 11, e77571.
ALPHA_HZ_BY_AGE = ((5.5, 8.79), (7.5, 9.17), (9.5, 9.50), (11.5, 9.79), (14.0, 9.86), (18.5, 9.73))
ALPHA_HZ_SD = 0.75
ALPHA_HZ_MALE = 0.15
ALPHA_HZ_FACTORS = (-0.12, -0.08, -0.05, -0.08)
ALPHA_HZ_PER_YEAR_ABOVE_40 = -0.02  # slows with old age: Scally et al. (2018), Neurobiol Aging 71, 149
ALPHA_BANDWIDTH_HZ = 0.7  # sd of the peak: Donoghue et al. (2020), Nat Neurosci 23, 1655
# Amplitude at twice the frequency, as alpha is no sine: Schaworonkow & Nikulin (2019), PLoS Comput Biol 15.
ALPHA_HARMONIC = 0.2
# µV RMS at the best electrode, eyes closed: children's 50 to 60 µV peak to peak, Niedermeyer's
# Electroencephalography (2005), chapter 11. Between people it spreads more than anything else.
ALPHA_UV = 17.0
ALPHA_LOG_SD = 0.35
# Amplitude left with open eyes. Alpha falls in children of 8 to 12 years: Barry et al. (2009), Clin
# Neurophysiol 120, 1806; in adults: Barry et al. (2007), ibid. 118, 2765. Favourable: posterior, not average.
ALPHA_EYES_OPEN = 0.5

# The aperiodic part flattens and falls with age: Cellier et al. (2021); Hill et al. (2022), Dev Cogn Neurosci
# 54, 101076; Tröndle et al. (2022); in adults Voytek et al. (2015), J Neurosci 35, 13257 and Donoghue et al.
# (2020). Favourable: r of the exponent with age is about -.5 here.
EXPONENT_AT_10, EXPONENT_PER_YEAR, EXPONENT_SD = 1.7, -0.035, 0.20
EXPONENT_ADULT, EXPONENT_ADULT_PER_YEAR = 1.3, -0.006
# µV RMS over the scalp, 0.5 to 50 Hz, average reference. Absolute power falls by half or more from 6 to 17
# years: Gasser et al. (1988), Electroencephalogr Clin Neurophysiol 69, 91. Favourable: what their bands leave
# at 10 years without alpha, which is a source of its own here.
BACKGROUND_UV_AT_10, BACKGROUND_LOG_PER_YEAR, BACKGROUND_LOG_SD = 11.0, -0.035, 0.20
BACKGROUND_SOURCES = 60
ADULT_AGE = 22.0  # development ends here

# µV RMS over sensorimotor cortex at rest: Pfurtscheller & Lopes da Silva (1999), Clin Neurophysiol 110, 1842.
# Favourable: children's mu reaches half of their alpha.
MU_UV, BETA_UV, BETA_LOG_SD = 6.0, 3.5, 0.20
MU_HZ_ABOVE_ALPHA = 0.5
BETA_HZ, BETA_BANDWIDTH_HZ = 20.0, 2.0
# 20 to 25 Hz tells the sexes apart: van Putten et al. (2018), Sci Rep 8, 3069. Sign and size: assumed.
BETA_FEMALE = 1.25
# TUH patients with a slow background; about half of such records are abnormal, a part of them diffusely slow:
# Obeid & Picone (2016).
CLINICAL_SLOWING, CLINICAL_SLOWING_HZ = 0.25, -2.0
# Abnormal records of TUAB: a slower rhythm and more slow activity, as in Lopez et al. (2015), IEEE SPMB,
# https://doi.org/10.1109/SPMB.2015.7405423, and Gemein et al. (2020), NeuroImage 220, 117021. Favourable:
# what is added to the aperiodic exponent, so that a dozen people show it.
ABNORMAL_EXPONENT = 0.8

# --- Contrast change detection: behaviour ---------------------------------------------------------------

# Reaction time (s) by rank in R5, 15,144 trials: measured. The target ends at 2.4 s.
REACTION_TIME_QUANTILES = (
    (0.0, 0.02),
    (0.007, 0.20),
    (0.01, 0.27),
    (0.05, 0.96),
    (0.25, 1.36),
    (0.50, 1.60),
    (0.75, 1.85),
    (0.95, 2.20),
    (0.99, 2.35),
    (1.0, 2.398),
)
SUBJECT_SHARE = 0.21  # of the variance lies between subjects: measured
LAG_1 = 0.11  # of deviations from the subject's mean, so that all trials together show .3: measured
SPEED_AGE, SPEED_EXTERNALIZING = -0.31, 0.11  # r of a subject's mean: measured
WRONG_SHARE, WRONG_FASTER = 0.105, 0.07  # s: measured
# Trials without a press during the target, with a press before it, with several after it: measured. The first
# lies between R1's 13 % and what the later releases' trial counts leave over.
MISS_SHARE, EARLY_SHARE, REPEAT_SHARE = 0.09, 0.08, 0.079
LATE_SHARE = 0.5  # of those without: the press comes after the end; measured, R1
# s from a trial's start to its target, equally often; s of rising contrast; s until it is back: HBN's
# description of the task.
TARGET_DELAYS = (2.8, 4.4, 6.0)
CONTRAST_RISE_SECONDS = 1.6
TARGET_SECONDS = 2.4

# --- Contrast change detection: brain -------------------------------------------------------------------

# A centro-parietal positivity builds up from the start of the evidence and peaks at the press: O'Connell,
# Dockree & Kelly (2012), Nat Neurosci 15, 1729 (this task); it is the P3b: Twomey et al. (2015), Eur J
# Neurosci 42, 1636. µV; favourable: the visual P3b of children, which falls with age: Rojas-Benjumea et al.
# (2015), Behav Brain Funct 11, 22 (not so the auditory one: van Dinteren et al., 2014, PLoS One 9, e87347).
CPP_UV_AT_10, CPP_UV_PER_YEAR, CPP_LOG_SD_SUBJECT = 20.0, -0.45, 0.25
CPP_LOG_SD_TRIAL = 0.20  # it ends at a bound, whatever the reaction time: O'Connell et al. (2012)
CPP_ONSET = 0.25  # s after the change begins
CPP_DECAY = 0.20  # s after the press
CPP_EXTERNALIZING = -0.125  # r: d = .252 in antisocial behaviour, Gao & Raine (2009), Biol Psychol 82, 199
# Mu and beta fall before the press, more so contralaterally: Pfurtscheller & Lopes da Silva (1999); O'Connell
# et al. (2012). Share of amplitude lost, favourable; s before the press.
ERD_CONTRALATERAL, ERD_IPSILATERAL, ERD_SECONDS = 0.6, 0.35, 0.9
# Beta rebounds, more with age: Gaetz et al. (2010), NeuroImage 51, 792; Trevarrow et al. (2019), NeuroImage
# 184, 455. Share of amplitude gained; s after the press; s; share a year.
REBOUND_AT_10, REBOUND_PEAK, REBOUND_WIDTH, REBOUND_PER_YEAR = 0.6, 0.75, 0.25, 0.03
MOTOR_UV, MOTOR_SECONDS = 5.0, 0.4  # lateralised readiness potential: Coles (1989), Psychophysiology 26, 251
SSVEP_LEFT_HZ, SSVEP_RIGHT_HZ = 20.0, 25.0  # gratings: HBN's description of the task
SSVEP_UV = 1.5  # at full contrast; encodes the change: O'Connell et al. (2012)
FEEDBACK_UV = 8.0  # visual response to the face shown when the target ends
FEEDBACK_NEGATIVITY_UV = 5.0  # when it is sad: Miltner, Braun & Coles (1997), J Cogn Neurosci 9, 788

# --- Movies ----------------------------------------------------------------------------------------------

# What a movie drives is shared by those who watch it: Dmochowski et al. (2012), Front Hum Neurosci 6, 112; it
# is more in children, and in boys: Petroni et al. (2018), eNeuro 5. µV RMS at the best electrode. Favourable:
# it gives correlations between two children of about .1 at the best electrodes, the upper end of what
# components reach.
FILM_UV_AT_10, FILM_LOG_PER_YEAR, FILM_LOG_SD = 6.0, -0.03, 0.25
FILM_FEMALE = 0.9
# r with attention problems. Attention raises the correlation: Ki, Kelly & Parra (2016), J Neurosci 36, 3092;
# the size is that of other correlations between factors and EEG.
FILM_ATTENTION = -0.10
FILM_BAND_HZ = (0.5, 12.0)
# s; children's visual responses are later: Lippé et al. (2007), Cereb Cortex 17, 100. Sizes: assumed.
FILM_DELAY_PER_YEAR, FILM_DELAY_SD = -0.002, 0.012

# --- Artefacts ------------------------------------------------------------------------------------------

BLINK_UV, BLINK_SECONDS = 120.0, 0.30  # at the forehead: Croft & Barry (2000), Neurophysiol Clin 30, 5
BLINKS_PER_MINUTE, BLINKS_LOG_SD = 10.0, 0.4  # children: Zametkin et al. (1979), Ann Neurol 5, 453
SACCADE_UV, SACCADES_PER_MINUTE = 25.0, 15.0  # small ones, under fixation: assumed
# µV RMS of a burst over the temples: Goncharova et al. (2003), Clin Neurophysiol 114, 1580. Rate: assumed.
MUSCLE_UV, MUSCLE_PER_MINUTE = 25.0, 2.0
# µV RMS, 0.5 to 50 Hz, high-impedance nets: Ferree et al. (2001), Clin Neurophysiol 112, 536.
SENSOR_NOISE_UV = 1.2
# The following are assumed: mains (µV, mean over electrodes), drift (µV RMS), faulty channels (mean number).
LINE_HZ, LINE_UV = 60.0, 1.5
DRIFT_UV = 30.0
FAULTY_CHANNELS, CLINICAL_FAULTY_CHANNELS = 2.0, 0.3
POP_UV, NOISY_UV = 150.0, 60.0
