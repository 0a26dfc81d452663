#!/usr/bin/env bash
# `make lock`: pin requirements*.in, with the hash of every file (UPGRADE=1: newest releases).
#
# requirements.txt has the packages that are the same on every machine. Small files beside
# it have those that depend on R: NumPy, because reticulate before 1.38 refuses NumPy 2 and
# NumPy 1.26 has no wheels for Python 3.13; and rpy2-rinterface, which is compiled against
# R. pip installs requirements-uv.txt first. requirements-tests.txt, requirements-image.txt
# and requirements-jax.txt have only packages that requirements.txt does not have.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NUMPY1=numpy==1.26.4 # the last NumPy 1
NUMPY2=numpy==2.3.5  # a NumPy 2 with wheels for 3.11, 3.12 and 3.13
UV=uv==0.13.9
RPY2=$(grep -o '^rpy2-rinterface==[0-9.]*' requirements.in)

compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --custom-compile-command "make lock" "$@" >/dev/null
}

numpy=$(mktemp)
trap 'rm -f "$numpy"' EXIT
printf "%s ; python_version %s '3.13'\n" "$NUMPY1" "<" "$NUMPY2" ">=" >"$numpy"
compile requirements.in --constraint "$numpy" --fork-strategy fewest ${UPGRADE:+--upgrade} \
  --no-emit-package numpy --no-emit-package rpy2-rinterface -o requirements.txt
in_all=$(sed -n 's/^\([a-z0-9.-]*\)==.*/--no-emit-package \1/p' requirements.txt)
for list in requirements-tests requirements-image requirements-jax; do
  # shellcheck disable=SC2086  # one option and one name for each package
  compile "$list.in" --constraint requirements.txt --constraint "$numpy" \
    ${UPGRADE:+--upgrade} $in_all --no-emit-package numpy -o "$list.txt"
done
compile - --no-deps -o requirements-uv.txt <<<"$UV"
compile - --no-deps -o requirements-numpy1.txt <<<"$NUMPY1"$'\n'"$RPY2"
compile - --no-deps -o requirements-numpy2.txt <<<"$NUMPY2"$'\n'"$RPY2"

# Check that every combination that set-up can choose can be installed from wheels.
for choice in 3.11-numpy1 3.12-numpy1 3.11-numpy2 3.12-numpy2 3.13-numpy2; do
  for machine in x86_64 aarch64; do
    echo "Python ${choice/-/, }, $machine"
    uv pip install --quiet --dry-run --require-hashes --target "$(mktemp --dry-run -d)" \
      --python-version "${choice%-*}" --python-platform "$machine-manylinux_2_28" \
      --only-binary :all: --no-binary rpy2-rinterface \
      -r requirements.txt -r "requirements-${choice#*-}.txt" \
      -r requirements-tests.txt -r requirements-image.txt -r requirements-jax.txt
  done
done
