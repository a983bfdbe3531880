#!/usr/bin/env bash
# Opens the window for `make run`, with the video named in VIDEO=.
#   open.sh BINARY
set -euo pipefail

video=${STEADYMASK_VIDEO-}
[[ -n $video ]] || exec "$1"
# shellcheck disable=SC2088 # not every shell expands the tilde of VIDEO=~/clip.mp4
[[ $video != "~/"* ]] || video=$HOME/${video:2}
# Named from where make was called, or from the checkout (after `make -C`, either may be meant).
# An absolute path also keeps a name that starts with a dash from being read as an option.
if [[ $video != /* && -e ${STEADYMASK_CALLER-}/$video ]]; then
    video=$STEADYMASK_CALLER/$video
elif [[ $video != /* ]]; then
    video=$PWD/$video
fi
exec "$1" "$video"
