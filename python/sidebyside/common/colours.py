"""One colour for R and one for Python, the same in every figure.

From the palette of Okabe and Ito (https://jfly.uni-koeln.de/color/), which
people with any kind of colour vision can tell apart. The light colours are for
a second line of the same language. Lines that belong to neither language, such
as training and validation, have matplotlibrc's first two colours.
"""

R = "#0072B2"
R_LIGHT = "#56B4E9"
PYTHON = "#D55E00"
PYTHON_LIGHT = "#E69F00"
