"""What a reader might answer, and be wrong: {(notebook, exercise): answers}.

Code for the answer's cell, in its language and without `%%R`. At least two
for each exercise: the checks have to tell them from the solution.
"""

WRONG_ANSWERS = {
    ("00_start_here", 1): ["index = 4", "index = 5", "index = 'three'"],
    ("00_start_here", 2): [
        "last_two = np.array([49, 25])\nmiddle = np.array([1, 49])",
        "last_two = np.sort([9, 1, 49, 25])[-2:]\nmiddle = np.sort([9, 1, 49, 25])[2:3]",
    ],
    ("00_start_here", 3): ["n <- 2^52", "n <- 2^53 + 2", "n <- 2^54", "n <- 'many'", "n <- 0"],
}
