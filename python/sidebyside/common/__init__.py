"""What every room uses: errors, files, versions, colours. Imports none of them."""
