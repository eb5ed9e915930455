"""Studies with people: which of two pictures is the photograph, or which do they prefer.

Sources: for real or fake, Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section
3.1: truth and coloured picture one after the other, one second each, practice with feedback,
attention checks. For preferences, the two-alternative forced choice of Fechner's school on pairs
side by side (Thurstone, "A Law of Comparative Judgment", 1927), ranked as Bradley and Terry do.
"""
