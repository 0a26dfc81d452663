1 + 1

invisible(3)

x <- 5

(x <- 6)

x = 7; x

-3:3

5 %/% 2

1:100

c(1.5, NA, Inf, -Inf, NaN)

c(a = 1, b = 2)

pi * 1e10

1e-20

100000

123456789.123

1e5; 1e15; 1e-5

0.1 + 0.2

c(1e10, 1)

1i

c(1+2i, NA)

TRUE

c(TRUE, NA)

NULL

character(0)

integer(0)

list()

factor(c())

"text"

c("a", "bb", NA)

"with \"quotes\" and \\ and \n"

'\t'

"\u00e4\u4e2d\u6587"

c("ä", "日本語")

noquote("plain")

letters

as.raw(0:20)

as.Date("2020-02-29")

as.Date(c("2020-01-01", NA))

as.POSIXct("2020-01-01 12:00:00", tz = "UTC")

as.POSIXlt("2020-01-01", tz = "UTC")

difftime(as.Date("2020-01-03"), as.Date("2020-01-01"))

ISOdate(2020, 1, 1)

factor(c("a", "b", "a"))

factor(c("low", "high"), levels = c("low", "high"), ordered = TRUE)

table(c(1, 1, 2))

table(c("a", "b"), c("x", "y"))

matrix(1:6, 2)

matrix(c("a", "b"), 1, dimnames = list("r", c("x", "y")))

matrix(numeric(0), 0, 3)

array(1:8, c(2, 2, 2))

diag(3)

data.frame(a = 1:3, b = c("x", "y", NA))

data.frame()

head(mtcars)

iris[1:3, ]

summary(iris)

summary(c(1, 2, 3, NA))

str(list(a = 1, b = "x", c = list(d = 1:3)))

str(mtcars)

list(1, "a", TRUE)

list(a = 1, b = list(c = 2, d = "x"))

list(a = NULL, 2)

list(f = function(x) x + 1)

setNames(1:3, c("a", "b", "c"))

structure(1:3, class = "unknown")

structure(1:3, note = "an attribute")

structure(list(a = 1), class = "record")

ts(1:24, start = c(2020, 1), frequency = 12)

ts(1:3)

quote(1 + 2)

quote(x)

quote(expr = )

quote(if (a) b else c)

quote(f(x, y = 2))

as.name("a b")

expression(a + b, c)

y ~ x + z

~ x

function(x) x + 1

function(x, y = 2, ...) {
  # a comment
  x + y   # kept as written
}

f <- function(a,b)   a+b
f

\(x) x^2

sum

c

`if`

`+`

base::mean

new.env()$a

globalenv()

emptyenv()

environment(mean)

as.numeric("3.5")

seq(0, 1, by = 0.25)

rep(c("a", "b"), times = 3)

strsplit("a,b;c", "[,;]")

sapply(1:3, function(i) i^2)

lapply(1:2, identity)

Map(function(a, b) a + b, 1:2, 3:4)

outer(1:3, 1:3)

do.call(rbind, list(1:2, 3:4))

Reduce(`+`, 1:4, accumulate = TRUE)

mapply(rep, 1:3, 3:1)

split(1:6, c(1, 2))

tapply(c(1, 2, 3), c("a", "b", "a"), sum)

aggregate(mpg ~ cyl, mtcars, mean)

with(mtcars, tapply(mpg, cyl, mean))

merge(data.frame(k = 1:2, a = 3:4), data.frame(k = 2:3, b = 5:6))

lm(mpg ~ wt, mtcars)

summary(lm(mpg ~ wt, mtcars))

anova(lm(mpg ~ wt, mtcars))

t.test(extra ~ group, data = sleep)

glm(am ~ wt, binomial, mtcars)

cor(mtcars[1:3])

quantile(1:10)

range(c(3, 1, 2))

polyroot(c(6, -5, 1))

set.seed(1); rnorm(3)

toupper("abc")

sprintf("%5.2f and %s", pi, "x")

format(1234567.891, big.mark = ",")

print(1:3)

print("a", quote = FALSE)

print(pi, digits = 3)

y <- print("twice")
y

cat("text\n")

cat("no newline")

cat(1:10, sep = ", ")

cat("a\n", "b\n")

cat("tab\there\n")

writeLines(c("one", "two"))

message("a message")

message("one"); message("two")

message("no newline", appendLF = FALSE)

write("to stderr", stderr())

cat("first\n"); message("second"); cat("third\n")

warning("at the top")

f <- function(x) warning("inside")
f(1)

f <- function() { warning("one"); warning("two"); "value" }
f()

for (i in 1:3) warning("number ", i)

for (i in 1:60) warning("number ", i)

warning("first"); warning("second")

suppressWarnings({ warning("not shown"); 1 })

suppressMessages({ message("not shown"); 2 })

as.integer("a")

f <- function(x) as.integer(x)
f("a")

1:3 + 1:2

sqrt(-1)

log(-1)

matrix(1:3, 2)

mean("a")

options(warn = 1); warning("at once"); options(warn = 0)

options(warn = 1); f <- function() warning("in f"); f(); options(warn = 0)

options(warn = 2)
as.integer("a")

options(warn = 0)

options(warn = -1); warning("not shown"); options(warn = 0)

warning("a very long warning that does not fit into one line of the console, so that R breaks it")

f <- function(argument_one, argument_two) warning("a long warning of a function with long arguments")
f(argument_one = 1, argument_two = "a long text")

withCallingHandlers(
  { warning("seen"); "value" },
  warning = function(w) { cat("handled:", conditionMessage(w), "\n"); invokeRestart("muffleWarning") }
)

tryCatch(warning("w"), warning = function(w) "caught")

tryCatch(stop("e"), error = function(e) conditionMessage(e))

tryCatch(stop("e"), error = function(e) e)

tryCatch(log("a"), error = function(e) e)

tryCatch(stop("e"), error = function(e) cat("caught\n"), finally = cat("finally\n"))

tryCatch(10, finally = cat("finally\n"))

simpleError("not signalled")

simpleCondition("c")

try(log("a"))

try(stop("quiet"), silent = TRUE)

r <- try(stop("kept"), silent = TRUE); cat(r)

try(stop("one")); cat("goes on\n")

f <- function() { on.exit(cat("left\n")); stop("failed") }
try(f())

f <- function() { on.exit(cat("left\n")); "value" }
f()

stop("at the top")

stop("one\ntwo")

stop()

stop("a", "b", 3)

f <- function(x) stop("no such digit: ", x)
f(7)

f <- function(x) stop("without a call", call. = FALSE)
f(1)

f <- function(x) g(x); g <- function(y) stop("deep")
f(1)

stop("a very long message that does not fit into one line of the console, so that R breaks it")

f <- function(argument_one, argument_two) stop("a long message of a function with long arguments")
f(argument_one = 1, argument_two = "a long text")

stop(simpleError("a condition", quote(my_call(1))))

stop(structure(class = c("mine", "error", "condition"), list(message = "my class", call = NULL)))

no_such_object

no_such_function(1)

f <- function() no_such_object
f()

log("a")

-"a"

1 + "a"

list(1) + 1

sum("a")

c(1)[[5]]

list(a = 1)[["b"]]

list(a = 1)[[3]]

NULL[[1]]

mtcars[["no"]]

mtcars[, "no"]

mtcars$no

matrix(1:4, 2)[3, 3]

solve(matrix(0, 2, 2))

factor(1) + 1

library(no_such_package)

no_such_package::f

stats::no_such_function

match.arg("z", c("a", "b"))

stopifnot(1 == 2)

stopifnot("a sentence" = FALSE)

f <- function(x) { stopifnot(is.character(x)); x }
f(1)

f <- function(x) x
f()

f <- function(x, y) x + y
f(1)

f(1, 2, 3)

f(z = 1)

mean()

UseMethod("x")

f <- function(x) UseMethod("f")
f(1)

new("no_such_class")

if (NA) 1

if (NULL) 1

if (c(TRUE, FALSE)) 1

while ("a") 1

for (i in 1:3) if (i == 2) stop("at ", i) else cat(i, "\n")

lapply(1:3, function(i) if (i == 2) stop("in the middle"))

sapply(1:2, function(i) log("a"))

do.call("f", list(1, 2, 3))

do.call(stop, list("from do.call"))

(function() stop("anonymous"))()

(function(x) { warning("careful"); x })(2)

eval(quote(stop("evaluated")))

eval(parse(text = "1 +"))

parse(text = "a b")

parse(text = "1 + 2")

as.numeric(list(1, 2:3))

get("no_such_object")

return(1)

break

strtoi("z", 36)

nchar(c("one", NA))

rep(1:2, times = -1)

vapply(1:2, function(i) "a", numeric(1))

array(1:4, 4)

sys.calls()

sys.call()

f <- function() sys.call(); f()

f <- function() length(sys.calls()); f()

f <- function() parent.frame(); f()

environmentName(environment())

environmentName(topenv())

exists("no_such_object")

42; .Last.value

local({ a <- 1; a + 1 })

assign("a", 3)

a <- b <- 2; c(a, b)

{ 1; 2 }

{ invisible(1) }

if (FALSE) 1

if (TRUE) invisible(1)

for (i in 1:3) i

i

NULL -> z

z

x <- c(1, 2); x[2] <- 5; x

names(x) <- c("a", "b"); x

f <- function() invisible(7)
f()

(f())

f() + 1

y <- f(); y

switch("b", a = 1, b = 2)

switch("z", a = 1)

repeat { break }

while (FALSE) 1

identity(invisible(3))

c(invisible(3))

assign("q1", 1); q1

suppressWarnings(invisible(3))

withVisible(invisible(3))

print(invisible(5))

invisible(print("shown"))

setClass("P", representation(name = "character"))

new("P", name = "Ada")

setMethod("show", "P", function(object) cat("<P ", object@name, ">\n", sep = ""))

new("P", name = "Ada")

list(new("P", name = "in a list"))

p <- new("P", name = "x"); p@name

p@no

setMethod("show", "P", function(object) stop("cannot be shown"))

new("P", name = "Ada")

setMethod("length", "P", function(x) 99L); length(p)

isVirtualClass("P")

setGeneric("area", function(shape) standardGeneric("area"))

area(1)

area

A <- setRefClass("A", fields = list(n = "numeric"), methods = list(up = function() { n <<- n + 1; invisible(.self) }))

a <- A$new(n = 1); a$up(); a

a$up()$n

A

print.mine <- function(x, ...) cat("<mine>\n")

structure(1, class = "mine")

list(structure(1, class = "mine"))

structure(list(1), class = "mine")

m <- structure(1, class = "mine"); m

print.mine <- function(x, ...) { cat("half\n"); stop("and no further") }

structure(1, class = "mine")

list(1, structure(1, class = "mine"))

print.mine <- function(x, ...) { warning("beware"); invisible(x) }

structure(1, class = "mine")

print.mine <- function(x, ...) { print(sys.call()); print(length(sys.calls())); invisible(x) }

structure(1, class = "mine")

format.mine <- function(x, ...) "formatted"

data.frame(a = I(structure(list(1, 2), class = "mine")))

toString.mine <- function(x, ...) "as a string"; toString(structure(1, class = "mine"))

summary.mine <- function(object, ...) structure(list(), class = "summary.mine")
print.summary.mine <- function(x, ...) cat("a summary\n")
summary(structure(1, class = "mine"))

"+.mine" <- function(e1, e2) "added"
structure(1, class = "mine") + 2

"$.mine" <- function(x, name) paste("asked for", name)
structure(list(), class = "mine")$colour

"[[.mine" <- function(x, i) stop("closed")
structure(list(), class = "mine")[[1]]

rm(print.mine)

options(digits = 3); pi; options(digits = 7)

options(scipen = 10); 1e8; options(scipen = 0)

options(max.print = 10); 1:100; options(max.print = 99999)

options(max.print = 10); mtcars; options(max.print = 99999)

options(OutDec = ","); 1.5; options(OutDec = ".")

op <- options(digits = 4); op

getOption("digits"); options(digits = 7)

Sys.setenv(A_VARIABLE = "x"); Sys.getenv("A_VARIABLE")

textConnection("abc")$class

capture.output(print(1:3))

capture.output(cat("a\nb"))

invisible(capture.output(print("swallowed")))

sink(tempfile()); print("away"); sink()

x <- 1:10; x[x > 5]

which(c(FALSE, TRUE))

nchar("a\tb")

rev(list(1, "a"))

Sys.Date() > as.Date("2000-01-01")

is.function(print)

Negate(is.na)(1)

Filter(function(v) v > 1, c(1, 2, 3))

mtcars |> head(2)

c(4, 9) |> sqrt() |> sum()

c(4, "a") |> sqrt()

trimws("  x ")

rapply(list(1, "a"), toupper, classes = "character", how = "replace")

array(1:3)

bitwAnd(5L, 3L)

as.hexmode(255)

as.octmode(8L)

numeric_version("1.2.3")

packageVersion("base") >= "4.0"

R.version$language

as.roman(14)

object.size(1:10)

person("Ada", "Lovelace")

person("Ada", "Lovelace", email = "ada@example.org")

citation()$title

ftable(Titanic, row.vars = 1:2)

xtabs(~ cyl + gear, mtcars)

by(mtcars$mpg, mtcars$cyl, mean)

cut(1:5, 2)

stack(list(a = 1:2, b = 3))

dist(matrix(1:6, 3))

hclust(dist(matrix(1:6, 3)))

kmeans(c(1, 1.1, 5, 5.1), c(1, 5))$cluster

prcomp(mtcars[1:3])

nls(mpg ~ a + b * wt, mtcars, start = list(a = 40, b = -5))

optimize(function(x) (x - 1)^2, c(0, 3))

integrate(dnorm, -1.96, 1.96)

D(quote(x^2), "x")

deriv(~ x^2, "x")

uniroot(function(x) x - 1, c(0, 3))$iter > 0

spline(1:3, c(1, 4, 9), n = 4)

approx(1:2, 3:4, xout = 1.5)

ecdf(c(1, 2, 3))

density(c(1, 2, 3))

model.matrix(~ factor(c("a", "b")))

stem(c(10, 11, 22, 23, 35))

strwrap("a text of some words that is broken into lines of a few words", 30)

formatC(c(1, 10, 100), width = 8, flag = "0")

bquote(a + .(1 + 2))

substitute(a + b, list(a = 1))

body(function(x) x + 1)

formals(function(a, b = 2) 1)

args(sd)

args(sum)

match.call(sum, quote(sum(1, 2)))

Sys.time() > 0

invisible(Sys.sleep(0))

nlevels(factor(c("a", "b")))

mapply(function(a, b) paste(a, b), c(x = "p"), c("q"))

array(list(1, "a"), 2)

list(matrix(1:4, 2), data.frame(a = 1))

as.list(1:2)

unlist(list(a = 1, b = list(c = 2)))

embed(1:4, 2)

rle(c(1, 1, 2))

encodeString("a\nb")

utf8ToInt("a")

chartr("abc", "xyz", "aabbcc")

baseenv()

as.environment(1)

asS4(1)

getClass("P")

existsMethod("show", "P")

removeMethod("show", "P")

environment()

all.equal(1, 1.1)

identical(1L, 1)

isTRUE(c(TRUE, TRUE))

is.na(NA_character_)

max(numeric(0))

min(character(0))

nchar(strrep("ab", 3))

regmatches("a1b22", gregexpr("[0-9]+", "a1b22"))

Sys.getlocale("LC_COLLATE") != ""

rowsum(c(1, 2, 3), c("a", "b", "a"))

apply(matrix(1:4, 2), 1, sum)

sweep(matrix(1:4, 2), 2, c(1, 2))

scale(matrix(c(1, 2, 3, 4), 2))

mahalanobis(c(1, 1), c(0, 0), diag(2))

Vectorize(function(a, b) a + b)(1:2, 3)

months(as.Date("2020-03-01"), abbreviate = TRUE) != ""

seq(as.Date("2020-01-31"), by = "month", length.out = 3)

round(difftime(as.POSIXct("2020-01-02", tz = "UTC"), as.POSIXct("2020-01-01", tz = "UTC")))

julian(as.Date("1970-01-02"))

strftime(as.Date("2020-01-01"), "%Y")

rawToChar(as.raw(c(72, 105)))

packBits(intToBits(5L), "integer")

array(1:24, c(2, 3, 4))[2, 3, 4]

nchar("日本", "bytes")

"a" < "b"

xor(TRUE, FALSE)

any(c(NA, TRUE))

5 == 5L

bitwXor(1L, 3L)

trunc(-1.5)

1 / 0

0 / 0

.Machine$integer.max + 1L

5 %% 0

2^1023 * 2

as.integer(3e10)
