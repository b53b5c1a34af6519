#!/bin/sh
set -eu
echo "nothing to clean in $IMAGE_TAG"
