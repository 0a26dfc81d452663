"""One colour for R and one for Python, the same in every figure.

From the palette of Okabe and Ito (https://jfly.uni-koeln.de/color/), which
people with any kind of colour vision can tell apart. The light ones are for
the second line of the same language. What stands for no language, such as
training and validation, has matplotlibrc's first two colours.
"""

R = "#0072B2"
R_LIGHT = "#56B4E9"
PYTHON = "#D55E00"
PYTHON_LIGHT = "#E69F00"
