"""Wrong answers that a reader might give: {(notebook, exercise): answers}.

Each is code for the answer's cell, in its language and without `%%R`. There are at
least two for each exercise, and the checks must recognise them as wrong.
"""

# Exercise 3 of 05: the function that counts how often it is asked.
ASK = """cube_root <- import("numpy")$cbrt
ask <- import("unittest.mock")$Mock(wraps = cube_root)
x <- matrix(c(-3, 1, 4, -1, 5, 9, -2, 6), ncol = 2)
"""

# Exercise 2 of 04: the table that is given.
RUNS = """runs = pd.DataFrame({
    "block": np.repeat(range(1, 6), 2),
    "arm": ["r", "python", "python", "r", "r",
            "python", "python", "r", "r", "python"],
    "fit": [6.6, 6.4, 7.8, 7.9, 9.2, 9.0, 6.5, 6.5, 8.0, 7.7],
})"""

# Exercise 2 of 10: the chain, of which the first layer is frozen.
SECOND = """chain |> layer_dense(3, name = "second")
"""
POPPED = f"""set_random_seed(3)
chain <- keras_model_sequential(6)
chain |> layer_dense(4, name = "first")
{SECOND}freeze_weights(chain, to = "first")
"""

# Exercise 3 of 10: a chain of one layer that does this.
MAXOUT = """layer_maxout <- Layer("Maxout", call = function(x) %s)
network <- keras_model_sequential(6)
network |> layer_maxout()"""

# Exercise 2 of 11: the layer that is given.
LAYER = """x <- rbind(c(1, 0), c(0, 2), c(1, 1))
w <- rbind(c(0.5, -1), c(1, 0.25))
u <- rbind(c(0, 1), c(1, 0.5))
"""

# Exercise 2 of 15: what is given.
CLOUDS = """centre <- rbind(c(0, 1), c(2, -1), c(0.5, 0))
log_var <- rbind(c(0, 0), c(-1, 1), c(-2, -2))
"""
BIGRAMS = """signs <- c("a", "b", "n", " ")
after <- rbind(
  c(0.0, 0.1, 0.6, 0.3), c(1.0, 0.0, 0.0, 0.0),
  c(0.9, 0.0, 0.0, 0.1), c(0.2, 0.7, 0.1, 0.0)
)
chosen <- c(.5, .4, .8, .6, .1, .9, .95, .5, .2, .05, .7)
"""

# Exercise 3 of 12: the numbers that are given.
SMALL_FASTTEXT = """reviews <- rbind(c(3, 1, 7, 3), c(0, 0, 5, 2), c(0, 0, 0, 6))
embedding <- matrix(sin(1:32), 8)
kernel <- c(1, -1, 2, 0.5)
"""

GREY = "grey <- rbind(c(1, 2, 4), c(1, 5, 4), c(0, 5, 9))\n"

HILL = """def top(height, x):
    for _ in range(200):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = height(x)
        x = {} (tape.gradient(value, x))
    return x"""

WRONG_ANSWERS = {
    ("00_start_here", 1): ["index = 4", "index = 5", "index = 'three'"],
    ("00_start_here", 2): [
        "last_two = np.array([49, 25])\nmiddle = np.array([1, 49])",
        "x = np.sort([9, 1, 49, 25])\nlast_two = x[-2:]\nmiddle = x[2:3]",
    ],
    ("00_start_here", 3): [
        "n <- 2^52",
        "n <- 2^53 + 2",
        "n <- 2^54",
        "n <- 'many'",
        "n <- 0",
    ],
    ("01_mnist", 1): [
        "parameters = 784 * 100 + 100 * 10",
        "parameters = 235_146",
        "parameters = 784",
    ],
    ("01_mnist", 2): [
        "counts <- table(y)\nshare <- counts / sum(counts)\nmost <- 1",
        "counts <- tabulate(y + 1, 10)\nshare <- counts / 10\n"
        "most <- which.max(counts)",
        "counts <- tabulate(y, 10)\nshare <- counts / sum(counts)\nmost <- 1",
    ],
    ("01_mnist", 3): [
        # Too large.
        """compact <- keras_model_sequential(input_shape = 784)
compact |>
  layer_rescaling(1 / 255) |>
  layer_dense(64, activation = "relu") |>
  layer_dense(10, activation = "softmax")
compact |> compile(loss = "sparse_categorical_crossentropy", optimizer = "rmsprop")""",
        # Learns nothing: relu, and no probabilities.
        """compact <- keras_model_sequential(input_shape = 784)
compact |> layer_dense(10, activation = "relu")
compact |> compile(loss = "sparse_categorical_crossentropy", optimizer = "sgd")""",
        # Not compiled.
        """compact <- keras_model_sequential(input_shape = 784)
compact |> layer_dense(10, activation = "softmax")""",
    ],
    ("02_how_r_drives_tensorflow", 1): [
        "in_basket = 4\nin_handle = 3\nin_copied = 4",
        "in_basket = 5\nin_handle = 5\nin_copied = 5",
        "in_basket = 5\nin_handle = 3\nin_copied = 4",
        "in_basket, in_handle, in_copied = 'all', 'of', 'them'",
    ],
    ("02_how_r_drives_tensorflow", 2): [
        # One handle three times.
        """w = tf.Variable(0.0)
path = []
for step in range(3):
    with tf.GradientTape() as tape:
        loss = (w - 3) ** 2
    w.assign_sub(0.25 * tape.gradient(loss, w))
    path.append(w)""",
        # Two steps.
        """w = tf.Variable(0.0)
path = []
for step in range(1, 3):
    with tf.GradientTape() as tape:
        loss = (w - 3) ** 2
    w.assign_sub(0.25 * tape.gradient(loss, w))
    path.append(float(w))""",
        "path = [-6.0, -3.0, -1.5]",
    ],
    ("02_how_r_drives_tensorflow", 3): [
        # Ends nothing.
        """StopBelow <- Callback("StopBelow",
  initialize = function(limit) {
    super$initialize()
    self$epochs <- 0
  },
  on_epoch_end = function(epoch, logs = NULL) self$epochs <- epoch
)""",
        # Counts from 0, on top of R's count from 1.
        """StopBelow <- Callback("StopBelow",
  initialize = function(limit) {
    super$initialize()
    self$limit <- limit
  },
  on_epoch_end = function(epoch, logs = NULL) {
    self$epochs <- epoch + 1
    if (logs$loss < self$limit) self$model$stop_training <- TRUE
  }
)""",
        # At the goal, too, and no count where it ended nothing.
        """StopBelow <- Callback("StopBelow",
  initialize = function(limit) {
    super$initialize()
    self$limit <- limit
    self$epochs <- 0
  },
  on_epoch_end = function(epoch, logs = NULL) {
    if (logs$loss <= self$limit) {
      self$epochs <- epoch
      self$model$stop_training <- TRUE
    }
  }
)""",
        "StopBelow <- function(limit) limit",
        "StopBelow <- Callback('StopBelow')",
        "StopBelow <- 0.1",
    ],
    ("03_fruits_cnn", 1): [
        "parameters = 167_300",
        "parameters = 167_300 * 32**2 // 20**2",
        "parameters = 100 * 16 * 16 * 16",
        "parameters = 'more'",
    ],
    ("03_fruits_cnn", 2): [
        # Of what was seen as a kind, the share that was it.
        """recognised <- diag(confusion) / colSums(confusion)
mixed_up <- c("Mandarine", "Clementine")""",
        # The other way round.
        """recognised <- diag(confusion) / rowSums(confusion)
mixed_up <- c("Clementine", "Mandarine")""",
        """recognised <- diag(confusion) / sum(confusion)
mixed_up <- kinds[1:2]""",
        "recognised <- 'most'\nmixed_up <- 'some'",
    ],
    ("03_fruits_cnn", 3): [
        # Above and below, as R fills arrays by columns.
        """edge_filter <- array(0, c(3, 3, 3))
edge_filter[, , 1] <- matrix(c(-1, 0, 1, -1, 0, 1, -1, 0, 1), 3)
edge_filter[, , 2] <- -edge_filter[, , 1]""",
        # Of all colours: black and white, too.
        "edge_filter <- array(rep(c(-1, 0, 1), each = 3), c(3, 3, 3))",
        # Red on the left.
        """edge_filter <- array(0, c(3, 3, 3))
edge_filter[, , 1] <- matrix(rep(c(1, 0, -1), each = 3), 3)
edge_filter[, , 2] <- -edge_filter[, , 1]""",
        # Sees a plain colour.
        """edge_filter <- array(0, c(3, 3, 3))
edge_filter[, 3, 1] <- 1
edge_filter[, 1, 1] <- -1
edge_filter[, 1, 2] <- 1
edge_filter[, 3, 2] <- -2""",
        "edge_filter <- array(0, c(3, 3, 3))",
        "edge_filter <- matrix(0, 3, 3)",
        "edge_filter <- 'red'",
    ],
    ("04_timed_training", 1): [
        "lowest <- 6 / 7\nhighest <- 7 / 6",
        "lowest <- 1\nhighest <- 8 / 6",  # a clock that cuts off
        "lowest <- 6.5 / 5.5\nhighest <- 7.5 / 6.5",
        "lowest <- 7.5 / 5.5\nhighest <- 1",
    ],
    ("04_timed_training", 2): [
        # pandas matches rows by their index.
        f"""{RUNS}
by_block = runs.fit[runs.arm == "r"] / runs.fit[runs.arm == "python"]
within_blocks = by_block.median()
of_medians = 7.9 / 7.7""",
        # The means of all.
        f"""{RUNS}
wide = runs.pivot(index="block", columns="arm", values="fit")
by_block = wide["r"] / wide["python"]
within_blocks = by_block.mean()
of_medians = wide["r"].mean() / wide["python"].mean()""",
        # Upside down.
        f"""{RUNS}
wide = runs.pivot(index="block", columns="arm", values="fit")
by_block = wide["python"] / wide["r"]
within_blocks = by_block.median()
of_medians = wide["python"].median() / wide["r"].median()""",
        # Not by block, but as they ran.
        f"""{RUNS}
fit = runs.fit.to_numpy()
by_block = fit[::2] / fit[1::2]
within_blocks = np.median(by_block)
of_medians = 7.9 / 7.7""",
    ],
    ("04_timed_training", 3): [
        # The list that was given, over and over.
        """def plan(arms, blocks, seed):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(blocks):
        rng.shuffle(arms)
        made.append(arms)
    return made""",
        # Shuffled in place, though copied.
        """def plan(arms, blocks, seed):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(blocks):
        rng.shuffle(arms)
        made.append(list(arms))
    return made""",
        # Another plan each time.
        """def plan(arms, blocks, seed):
    return [list(np.random.permutation(arms)) for _ in range(blocks)]""",
        # The seed is fixed.
        """def plan(arms, blocks, seed):
    rng = np.random.default_rng(42)
    return [list(rng.permutation(arms)) for _ in range(blocks)]""",
        # Each arm as often as chance wants.
        """def plan(arms, blocks, seed):
    rng = np.random.default_rng(seed)
    return [list(rng.choice(arms, len(arms))) for _ in range(blocks)]""",
        # One order, turned from block to block.
        """def plan(arms, blocks, seed):
    n = len(arms)
    return [[arms[(i + b + seed) % n] for i in range(n)] for b in range(blocks)]""",
        # For the arms of the notebook only.
        """def plan(arms, blocks, seed):
    arms = ["python", "r", "python-again", "rpy2"]
    rng = np.random.default_rng(seed)
    return [list(rng.permutation(arms)) for _ in range(10)]""",
        "plan = 'random'",
    ],
    ("05_where_the_time_goes", 1): [
        "affordable = 412",
        "affordable = 410",
        "affordable = 0.01 * epoch / one_call",  # no whole number
        "affordable = int(epoch / one_call)",  # all of the epoch
    ],
    ("05_where_the_time_goes", 2): [
        # Filled by columns.
        """laps <- matrix(c(121, 8300, 118, 8150, 260, 8200, 119, 8250, 120, 9900), 5)
per_call <- apply(laps, 2, median) / calls
longer <- per_call[2] / per_call[1]
slowest <- apply(laps, 2, which.max)""",
        # The other margin.
        """laps <- cbind(c(121, 118, 260, 119, 120), c(8300, 8150, 8200, 8250, 9900))
per_call <- apply(laps, 1, median) / calls
longer <- per_call[2] / per_call[1]
slowest <- apply(laps, 1, which.max)""",
        # Means, and the slowest turn decides.
        """laps <- cbind(c(121, 118, 260, 119, 120), c(8300, 8150, 8200, 8250, 9900))
per_call <- colMeans(laps) / calls
longer <- per_call[2] / per_call[1]
slowest <- c(3, 5)""",
        # From 0.
        """laps <- cbind(c(121, 118, 260, 119, 120), c(8300, 8150, 8200, 8250, 9900))
per_call <- c(120, 8250) / 500
longer <- per_call[1] / per_call[0]
slowest <- c(2, 4)""",
    ],
    ("05_where_the_time_goes", 3): [
        f"{ASK}answers <- x\n"
        "for (i in seq_along(x)) if (x[i] > 0) answers[i] <- ask(x[i])",
        f"{ASK}answers <- ask(x)",  # the negative ones, too
        f"{ASK}answers <- sapply(x, ask)",
        f"{ASK}answers <- ask(x[x > 0])",  # not in their places
        f"{ASK}answers <- ifelse(x > 0, abs(x)^(1 / 3), x)",  # Python was not asked
    ],
    ("06_statistics", 1): [
        'words = ["same", "same", "slower", "slower", "slower"]',
        'words = ["same", "open", "slower"]',
        "words = 5",
    ],
    ("06_statistics", 2): [
        "estimate = (in_r / in_python).mean()\ninterval = [1, 1.1]\ndeviation = 0.1",
        """d = np.log(in_r / in_python)
ends = stats.ttest_1samp(d, 0).confidence_interval()
estimate, interval = np.exp(d.mean()), np.exp([ends.low, ends.high])
deviation = d.std()""",
    ],
    ("06_statistics", 3): [
        "p_value <- t.test(log(in_r / in_python))$p.value",
        "p_value <- wilcox.test(in_r, in_python, paired = TRUE)$p.value",
        """signs <- as.matrix(expand.grid(rep(list(c(-1, 1)), 6)))
d <- log(in_r / in_python)
p_value <- mean(signs %*% d >= sum(d) - 1e-12)""",
        "p_value <- 1 / 64",
    ],
    ("07_what_it_costs_you", 1): [
        # The mean of the two differences, and ratios instead of differences.
        "fixed, per_epoch = 1.95, 0.01",
        "fixed, per_epoch = 15 / 13.5, 102.4 / 100",
        "fixed, per_epoch = 1.5, 0.9 / 100",
        "fixed, per_epoch = 1.5, 0.01",
    ],
    ("07_what_it_costs_you", 2): [
        # Ratios, and groups in the order of the rows instead of pairs.
        """gap = [1.1355, 1.0666]
each = (gap[1] - gap[0]) / 15
once = gap[0] - 5 * each""",
        """gap = trials.groupby("epochs").seconds.mean().to_numpy()
each = (gap[1] - gap[0]) / 15
once = gap[0] - 5 * each""",
        """both = trials[trials.arm == "r"].merge(
    trials[trials.arm == "python"], on="epochs", suffixes=["_r", "_python"])
more = both.seconds_r - both.seconds_python
gap = more.groupby(both.epochs).median().to_numpy()
each = (gap[1] - gap[0]) / 20
once = gap[0] - 5 * each""",
    ],
    ("07_what_it_costs_you", 3): [
        "needed <- c(32, 24, 1)",
        "needed <- (c(1.3, 1.2, 0.02) - 0.04) /\n"
        "  (0.01 * c(5, 5, 1) - c(0.01, 0.2, 0.001))",
        "needed <- c(31, Inf, 1)",
        "needed <- c(32, Inf, 0)",
        "needed <- Inf",
    ],
    ("10_digits", 1): [
        "parameters = 16 * 5 * 5 * 3",
        "parameters = 16 * (5 * 5 + 1)",
        "parameters = 16 * 3 * (5 * 5 + 1)",
        "parameters = 320 * 3",
    ],
    ("10_digits", 2): [
        # The layer that goes is not made.
        f"""{POPPED.replace(SECOND, "")}chain |> layer_dense(2, name = "third")
names <- c("first", "third")
start <- get_weights(chain)[[3]]
learning <- 2""",
        # Nothing is popped.
        f"""{POPPED}chain |> layer_dense(2, name = "third")
names <- sapply(chain$layers, function(layer) layer$name)
start <- get_weights(get_layer(chain, "third"))[[1]]
learning <- length(get_weights(chain, trainable = TRUE))""",
        # Python's index.
        f"""{POPPED}old <- pop_layer(chain)
chain |> layer_dense(2, name = "third")
names <- sapply(chain$layers, function(layer) layer$name)
start <- get_weights(get_layer(chain, index = 1))[[1]]
learning <- length(get_weights(chain, trainable = TRUE))""",
    ],
    ("10_digits", 3): [
        # The first half with the second.
        f"""{MAXOUT % "op_max(op_reshape(x, c(-1, 2, 3)), axis = 2)"}""",
        # For six numbers only.
        f"""{MAXOUT % "op_max(op_reshape(x, c(-1, 3, 2)), axis = 3)"}""",
        # The smaller one.
        f"""{MAXOUT % "op_min(op_reshape(x, c(-1, 3, 2)), axis = 3)"}""",
        # The first of each pair.
        f"""{MAXOUT % "op_reshape(x, c(-1, 3, 2))[, , 1]"}""",
        "network <- keras_model_sequential(6)",
        "network <- function(x) pmax(x[, c(1, 3, 5)], x[, c(2, 4, 6)])",
    ],
    ("11_sequences_and_memory", 1): [
        "parameters = 50 * (14 + 50 + 1)",
        "parameters = 12_900 * 4",
        "parameters = 4 * 50 * (14 + 50)",
    ],
    ("11_sequences_and_memory", 2): [
        # max() for pmax().
        f"""{LAYER}h <- c(0, 0)
states <- matrix(0, 3, 2)
for (i in 1:3) {{
  h <- rep(max(0, x[i, ] %*% w + h %*% u), 2)
  states[i, ] <- h
}}
final <- sum(states[3, ])""",
        # The state is forgotten.
        f"""{LAYER}states <- pmax(x %*% w, 0)
final <- sum(states[3, ])""",
        # States as columns.
        f"""{LAYER}h <- c(0, 0)
states <- sapply(1:3, function(i) h <<- pmax(0, x[i, ] %*% w + h %*% u))
final <- sum(states[, 3])""",
    ],
    ("11_sequences_and_memory", 3): [
        # The other way round.
        """weights <- list(matrix(c(1, 0), 1), rbind(c(0, 0), c(1, 0)), c(0, 0),
  matrix(0.5, 2, 1), 0)""",
        # A mean of all values, weighted: it forgets slowly.
        """weights <- list(matrix(c(1, 0), 1), rbind(c(0, 1), c(0, 1)), c(0, 0),
  matrix(0.5, 2, 1), 0)""",
        # No memory: the best guess.
        """weights <- list(matrix(c(1, 0), 1), matrix(0, 2, 2), c(0, 0),
  matrix(c(0.5, 0), 2), 0.25)""",
        "weights <- list(c(1, 0), diag(2), c(0, 0), 1, 0)",
        "weights <- 'four numbers'",
    ],
    ("13_word_order", 1): [
        "parameters = 4 * (32 * 16 + 16 * 16 + 16)",
        "parameters = 8_320",
        "parameters = 2 * 8_320",
    ],
    ("13_word_order", 2): [
        # The padding is turned, too.
        "reviews <- rbind(c(0L, 0L, 5L, 6L, 7L), c(0L, 2L, 3L, 4L, 9L))\n"
        "turned <- reviews[, 5:1]",
        # As in Python, where it means something else.
        "reviews <- rbind(c(0L, 0L, 5L, 6L, 7L), c(0L, 2L, 3L, 4L, 9L))\n"
        "turned <- reviews[, -1]",
    ],
    ("13_word_order", 3): [
        # Forgets the state.
        """def last_state(x, kernel, recurrent, bias):
    return np.tanh(x[-1] @ kernel + bias)""",
        # Reads backwards.
        """def last_state(x, kernel, recurrent, bias):
    state = np.zeros(len(bias))
    for row in x[::-1]:
        state = np.tanh(row @ kernel + state @ recurrent + bias)
    return state""",
        # Without tanh.
        """def last_state(x, kernel, recurrent, bias):
    state = np.zeros(len(bias))
    for row in x:
        state = row @ kernel + state @ recurrent + bias
    return state""",
    ],
    ("14_stories_and_answers", 1): [
        "parameters = 2_020",
        "parameters = 30 * 20 + 20 * 20",  # without biases
        "parameters = 3 * 30 * 20 + 420",
        "parameters = 'fewer'",
    ],
    ("14_stories_and_answers", 2): [
        # Without a softmax.
        """scores <- drop(rbind(c(2, 0), c(0, 1), c(1, 1)) %*% c(1, 2))
shares <- scores / sum(scores)
reading <- colSums(shares * rbind(c(2, 0), c(0, 1), c(1, 1)))""",
        # The other axis.
        """sentences <- rbind(c(2, 0), c(0, 1), c(1, 1))
powers <- exp(drop(sentences %*% c(1, 2)))
shares <- powers / sum(powers)
reading <- rowSums(shares * sentences)""",
        # The question is recycled down the columns.
        """sentences <- rbind(c(2, 0), c(0, 1), c(1, 1))
powers <- exp(rowSums(sentences * c(1, 2)))
shares <- powers / sum(powers)
reading <- colSums(shares * sentences)""",
        "shares <- 'all'\nreading <- 1",
    ],
    ("14_stories_and_answers", 3): [
        # Order matters.
        """a, b = keras.Input((3,)), keras.Input((3,))
x = layers.Concatenate()([a, b])
x = layers.Dense(8, activation="tanh")(x)
fair = keras.Model([a, b], layers.Dense(1)(x))""",
        # A layer for each input.
        """a, b = keras.Input((3,)), keras.Input((3,))
x = layers.Dense(8, activation="tanh")(a)
y = layers.Dense(8, activation="tanh")(b)
x = layers.Add()([x, y])
fair = keras.Model([a, b], layers.Dense(1)(x))""",
        # The sum of the inputs only.
        """a, b = keras.Input((3,)), keras.Input((3,))
x = layers.Add()([a, b])
x = layers.Dense(8, activation="tanh")(x)
fair = keras.Model([a, b], layers.Dense(1)(x))""",
        # Linear, so the same again.
        """a, b = keras.Input((3,)), keras.Input((3,))
shared = layers.Dense(8)
x = layers.Add()([shared(a), shared(b)])
fair = keras.Model([a, b], layers.Dense(1)(x))""",
        # Sees one input only.
        """a, b = keras.Input((3,)), keras.Input((3,))
fair = keras.Model([a, b], layers.Dense(1, activation="tanh")(a))""",
        # The same for all inputs.
        """a, b = keras.Input((3,)), keras.Input((3,))
x = layers.Subtract()([a, a])
fair = keras.Model([a, b], layers.Dense(1)(x))""",
        "fair = keras.Sequential([keras.Input((3,))])\nfair.add(layers.Dense(1))",
        "fair = 'fair'",
    ],
    ("12_words", 1): [
        "more = 100_000",
        "more = 120_000 * 16",
        "more = 100_000 * 16 + 1_700",
    ],
    ("12_words", 2): [
        # Padding gets a number, too.
        "review <- c(0L, 0L, 0L, 7L, 12L, 9L)\n"
        "numbers <- 100 + (review[-6] * 31 + review[-1]) %% 5",
        # The first and the second the other way round.
        "review <- c(0L, 0L, 0L, 7L, 12L, 9L)\nfirst <- review[-1]\n"
        "second <- review[-6]\nnumbers <- 100 + (first * 31 + second) %% 5\n"
        "numbers[first == 0] <- 0",
    ],
    ("12_words", 3): [
        # The padding counts.
        SMALL_FASTTEXT + "scores <- apply(reviews, 1, function(review) {\n"
        "  rows <- embedding[review + 1, , drop = FALSE]\n"
        "  1 / (1 + exp(-sum(colMeans(rows) * kernel) - 0.5))\n})",
        # Row 1 for word 1.
        SMALL_FASTTEXT + "scores <- apply(reviews, 1, function(review) {\n"
        "  rows <- embedding[review[review > 0], , drop = FALSE]\n"
        "  1 / (1 + exp(-sum(colMeans(rows) * kernel) - 0.5))\n})",
        # No sigmoid.
        SMALL_FASTTEXT + "scores <- apply(reviews, 1, function(review) {\n"
        "  rows <- embedding[review[review > 0] + 1, , drop = FALSE]\n"
        "  sum(colMeans(rows) * kernel) + 0.5\n})",
        "scores <- 0.5",
    ],
    ("15_letter_by_letter", 1): [
        # The mean of 1 / probability.
        "perplexity_of_first = 27\nperplexity_of_second = (2 + 4 + 4 + 2) / 4",
        # In nats.
        "perplexity_of_first = np.log(27)\nperplexity_of_second = 1.5 * np.log(2)",
        "perplexity_of_first = 26\nperplexity_of_second = 2**1.5",
        "perplexity_of_first = 'low'\nperplexity_of_second = 'lower'",
    ],
    ("15_letter_by_letter", 2): [
        # From 0, as in Python.
        f"""{BIGRAMS}here <- 2
babble <- "b"
for (u in chosen) {{
  here <- max(1, findInterval(u, cumsum(after[here, ])))
  babble <- paste0(babble, signs[here])
}}""",
        # Down the columns.
        f"""{BIGRAMS}here <- 2
babble <- "b"
for (u in chosen) {{
  here <- min(4, findInterval(u, cumsum(after[, here])) + 1)
  babble <- paste0(babble, signs[here])
}}""",
        # The most probable one, always.
        f"""{BIGRAMS}here <- 2
babble <- "b"
for (u in chosen) {{
  here <- which.max(after[here, ])
  babble <- paste0(babble, signs[here])
}}""",
        "babble <- 'banana'",
    ],
    ("15_letter_by_letter", 3): [
        # All of them become 0.
        """def sharpen(p, temperature):
    weights = p ** (1 / temperature)
    return weights / weights.sum()""",
        # The other way round.
        """def sharpen(p, temperature):
    weights = (p / p.max()) ** temperature
    return weights / weights.sum()""",
        # Of probabilities, not of their logarithms.
        """def sharpen(p, temperature):
    weights = np.exp((p - p.max()) / temperature)
    return weights / weights.sum()""",
        # One of the two that are equal.
        """def sharpen(p, temperature):
    if temperature < 0.001:
        return np.arange(len(p)) == p.argmax()
    weights = p ** (1 / temperature)
    return weights / weights.sum()""",
        """def sharpen(p, temperature):
    return (p / p.max()) ** (1 / temperature)""",
        "sharpen = 0.5",
    ],
    ("16_pictures_and_films", 1): [
        "pictures = 7 * 7",
        "pictures = 4 * 4 * 2",
        "pictures = 6 * 6 * 2",
        "pictures = 'many'",
    ],
    ("16_pictures_and_films", 2): [
        # Filled by columns.
        """x <- matrix(0:11, nrow = 3)
mirrored <- x[, 4:1]
moved <- x[c(1, 1, 2), ]""",
        # Row 0 is left out.
        """x <- matrix(0:11, nrow = 3, byrow = TRUE)
mirrored <- x[, 4:1]
moved <- x[1:3 - 1, ]""",
        # Upside down, and moved up.
        """x <- matrix(0:11, nrow = 3, byrow = TRUE)
mirrored <- x[3:1, ]
moved <- x[c(2, 3, 3), ]""",
    ],
    ("16_pictures_and_films", 3): [
        # A copy.
        "def next_frame(film):\n    return film[-1]",
        # Of the middle, in one direction only.
        """def next_frame(film):
    step = np.argwhere(film[-1])[0] - np.argwhere(film[-2])[0]
    return np.roll(film[-1], step[0], axis=0)""",
        # Back to where it came from.
        """def next_frame(film):
    corners = [np.argwhere(frame).min(axis=0) for frame in film]
    return np.roll(film[-1], corners[-2] - corners[-1], axis=(0, 1))""",
        # All steps from the first frame to the last.
        """def next_frame(film):
    corners = [np.argwhere(frame).min(axis=0) for frame in film]
    return np.roll(film[-1], corners[-1] - corners[0], axis=(0, 1))""",
        "next_frame = 'down'",
    ],
    ("17_inventing_digits", 1): [
        "price = 2.5",  # the mean
        "price = 10.0",  # without the half
        "price = -5.0",
        "price = 'none'",
    ],
    ("17_inventing_digits", 2): [
        # The mean over the latent numbers.
        f"""{CLOUDS}divergence <- -0.5 * rowMeans(1 + log_var - centre^2 - exp(log_var))
deviation <- exp(log_var / 2)""",
        # The other axis.
        f"""{CLOUDS}divergence <- -0.5 * colSums(1 + log_var - centre^2 - exp(log_var))
deviation <- exp(log_var / 2)""",
        # The variance.
        f"""{CLOUDS}divergence <- -0.5 * rowSums(1 + log_var - centre^2 - exp(log_var))
deviation <- exp(log_var)""",
        "divergence <- 'small'\ndeviation <- 1",
    ],
    ("17_inventing_digits", 3): [
        # Whole numbers of 8 bits.
        """def closest(drawn, real):
    gaps = (real[None] - drawn[:, None]) ** 2
    return np.sqrt(gaps.sum(axis=(2, 3))).min(axis=1)""",
        # The other way round.
        """def closest(drawn, real):
    gaps = (real[None].astype(float) - drawn[:, None]) ** 2
    return np.sqrt(gaps.sum(axis=(2, 3))).min(axis=0)""",
        # Without the root.
        """def closest(drawn, real):
    gaps = (real[None].astype(float) - drawn[:, None]) ** 2
    return gaps.sum(axis=(2, 3)).min(axis=1)""",
        # The mean picture.
        """def closest(drawn, real):
    gaps = (real.mean(axis=0) - drawn) ** 2
    return np.sqrt(gaps.sum(axis=(1, 2)))""",
        # The largest difference of a pixel.
        """def closest(drawn, real):
    gaps = abs(real[None].astype(float) - drawn[:, None])
    return gaps.max(axis=(2, 3)).min(axis=1)""",
        "closest = 0",
    ],
    ("18_dreams_and_styles", 1): [
        "numbers, numbers_when_larger = 256 * 256, 4 * 256 * 256",
        "numbers = numbers_when_larger = 256",
        "numbers = numbers_when_larger = 40 * 32",
        "numbers = numbers_when_larger = 'many'",
    ],
    ("18_dreams_and_styles", 2): [
        # Down the columns only.
        f"{GREY}rough <- 2 * mean(diff(grey)^2)",
        # Divided by the number of pixels.
        f"{GREY}rough <- (sum(diff(grey)^2) + sum(diff(t(grey))^2)) / 9",
        # The second without its last.
        f"{GREY}rough <- mean(diff(grey)^2) + mean(diff(t(grey))[, -3]^2)",
        "rough <- 'very'",
    ],
    ("18_dreams_and_styles", 3): [
        # Down.
        HILL.format("x - 0.1 *"),
        # Steps that are always as long.
        HILL.format("x + 0.1 * tf.sign"),
        # Never gets far.
        HILL.format("x + 0.001 *"),
        # Knows one of the hills.
        "def top(height, x):\n    return tf.constant([1.0, -2.0])",
        # Does not watch.
        HILL.format("x + 0.1 *").replace("tape.watch(x)", "pass"),
        "top = 30.0",
    ],
}
