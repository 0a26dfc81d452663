# The edition stands in DESCRIPTION, which testthat finds only where it loads
# the package itself.
local_edition(3, .env = teardown_env())
