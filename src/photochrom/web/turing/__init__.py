"""The real-or-fake study: of two pictures, people say which is the photograph.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1: truth and
coloured picture one after the other, one second each, practice with feedback, attention checks.
"""
