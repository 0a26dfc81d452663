x <- matrix(c(0.5, -1, 2, 0, 1, 1, -2, 3), 2)

same_answers <- function(one, other) {
  expect_identical(
    predict(one, x, verbose = 0), predict(other, x, verbose = 0)
  )
}

test_that("a model survives a file", {
  model <- compiled_model(metrics = "accuracy")
  file <- temporary_file(".keras")
  on.exit(unlink(file))
  returned <- withVisible(save_model(model, file))
  expect_false(returned$visible)
  loaded <- load_model(file)
  same_answers(model, loaded)
  expect_true(loaded$compiled)
  expect_false(load_model(file, compile = FALSE)$compiled)
})

test_that("a model survives raw bytes", {
  model <- compiled_model()
  bytes <- save_model(model)
  expect_type(bytes, "raw")
  same_answers(model, load_model(bytes))
})

test_that("Python loads what R saved, and R what Python saved", {
  model <- small_model()
  file <- temporary_file(".keras")
  back <- temporary_file(".keras")
  on.exit(unlink(c(file, back)))
  save_model(model, file)
  answers <- python(
    "
model = keras.saving.load_model(file)
model.save(back)
result = model.predict(np.ascontiguousarray(x, 'float32'), verbose=0)
",
    file = file, back = back, x = x
  )
  expect_identical(answers, predict(model, x, verbose = 0))
  same_answers(model, load_model(back))
})

test_that("a file is not overwritten unless asked for", {
  model <- small_model()
  file <- temporary_file(".keras")
  weights <- temporary_file(".weights.h5")
  on.exit(unlink(c(file, weights)))
  save_model(model, file)
  save_model_weights(model, weights)
  before <- tools::md5sum(file)
  expect_error(save_model(small_model(), file), "exists")
  expect_identical(tools::md5sum(file), before)
  expect_error(save_model_weights(model, weights), "exists")
  expect_no_error(save_model(model, file, overwrite = TRUE))
  expect_no_error(save_model_weights(model, weights, overwrite = TRUE))
})

test_that("errors about files are sentences", {
  skip_with_keras3("keras3 has its own sentences")
  file <- temporary_file(".keras")
  on.exit(unlink(file))
  save_model(small_model(), file)
  expect_error(
    save_model(small_model(), file),
    "exists already. To replace it, use overwrite = TRUE"
  )
  expect_error(
    load_model("nowhere.keras"),
    "There is no file nowhere.keras, .* The working folder is "
  )
})

test_that("a file that is not there is an error in both dialects", {
  expect_error(load_model("nowhere.keras"), "nowhere.keras")
})

test_that("weights survive a file", {
  model <- small_model()
  other <- small_model()
  file <- temporary_file(".weights.h5")
  on.exit(unlink(file))
  save_model_weights(model, file)
  load_model_weights(other, file)
  same_answers(model, other)
})

test_that("the architecture survives JSON", {
  model <- small_model()
  file <- temporary_file(".json")
  on.exit(unlink(file))
  save_model_config(model, file)
  expect_error(save_model_config(model, file), "exists")
  other <- load_model_config(file)
  expect_identical(format(other), format(model))
  expect_identical(jsonlite::read_json(file)$class_name, "Sequential")
})

test_that("a tilde is a home folder", {
  skip_with_keras3("keras3 hands it to Keras as it is")
  home <- tempfile("home")
  dir.create(home)
  before <- Sys.getenv("HOME")
  Sys.setenv(HOME = home)
  on.exit({
    Sys.setenv(HOME = before)
    unlink(home, recursive = TRUE)
  })
  skip_if(path.expand("~") != home, "this R does not follow HOME")
  save_model(small_model(), "~/model.keras")
  expect_true(file.exists(file.path(home, "model.keras")))
  expect_no_error(load_model("~/model.keras"))
})

test_that("R functions among custom_objects keep their names", {
  mean_pred <- function(y_true, y_pred) op_mean(y_pred)
  model <- small_model()
  model |>
    compile("sgd", "mse", metrics = custom_metric("mean_pred", mean_pred))
  path <- temporary_file(".keras")
  save_model(model, path)
  data <- clusters()
  results <- function(model) {
    names(evaluate(model, data$x, data$onehot, verbose = 0))
  }
  expect_setequal(
    results(load_model(path, custom_objects = c(mean_pred = mean_pred))),
    c("loss", "mean_pred")
  )
  again <- with_custom_object_scope(list(mean_pred = mean_pred), {
    expect_named(get_custom_objects(), character())
    load_model(path)
  })
  expect_setequal(results(again), c("loss", "mean_pred"))
  expect_error(load_model(path, custom_objects = list(mean_pred)))
  register_keras_serializable(mean_pred, package = "Lesson")
  expect_true("Lesson>mean_pred" %in% names(get_custom_objects()))
})
