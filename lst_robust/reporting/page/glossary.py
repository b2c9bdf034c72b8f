"""The words of a report, each explained in a few sentences."""

from __future__ import annotations

TERMS = (
    ("Error", "The share of images for which the network's first answer is wrong (top-1 error), in percent."),
    (
        "Clean error",
        "The error on the images as they are, without any corruption.",
    ),
    (
        "Corruption, severity",
        "A change of the image that happens in practice: noise, blur, weather, digital artefacts. Each of the 19 "
        "corruptions has five severities, from 1 (weak) to 5 (strong).",
    ),
    (
        "CE (corruption error)",
        "The sum of a network's errors over the severities of one corruption, divided by the same sum of the "
        "normaliser, in percent. The normaliser is a fixed network, an AlexNet in most protocols. 100 means: as bad as "
        "the normaliser. Lower is better.",
    ),
    (
        "mCE (mean corruption error)",
        "The mean of the CEs. mCE (15) is the mean over the 15 standard corruptions of ImageNet-C, mCE (19) "
        "the one over all 19.",
    ),
    (
        "Relative mCE",
        "The same, but the clean error is first subtracted from each error, of the network and of the normaliser. It "
        "says how much a network loses, not how good it is.",
    ),
    (
        "Interval",
        "The 95 % interval of a value, found by drawing the images again (bootstrap). It speaks of other images, not "
        "of other trainings of the network.",
    ),
    (
        "Spread (±)",
        "The standard deviation over several trainings of the same network, which differ only in their seed. The value "
        "beside it is their mean. It speaks of other trainings, not of other images.",
    ),
    (
        "Paired difference",
        "Two networks see the same images, so they are compared image by image. The interval of the difference is then "
        "narrower than the two single intervals suggest.",
    ),
    (
        "Holm mark",
        "Who tests many corruptions finds differences by chance. Holm's method corrects the p-values of all "
        "corruptions of one pair of networks. A difference is marked where it holds after the correction. The means, "
        "and the number of networks, are not corrected.",
    ),
    (
        "Effective robustness",
        "How far a network lies below the line that other networks form in the picture of clean error against mCE. A "
        "network on the line is as robust as its clean error lets expect.",
    ),
    (
        "Kappa (error consistency)",
        "Whether two networks are wrong on the same images, beyond what their errors alone would give. 1: always on "
        "the same images; 0: as often as by chance; below 0: on different images.",
    ),
    (
        "ECE (expected calibration error)",
        "How far the stated confidence is from the share of right answers, as a mean over groups of answers with "
        "similar confidence. 0 means: of the answers with confidence 80 %, 80 % are right.",
    ),
    (
        "Protocol",
        "All that must be equal for two numbers to be compared: the images, how they were resized and corrupted, and "
        "the normaliser. Each table holds one protocol.",
    ),
)
