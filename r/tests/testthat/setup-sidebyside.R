# DESCRIPTION names the edition, but testthat reads it only if it loads the
# package itself.
local_edition(3, .env = teardown_env())
