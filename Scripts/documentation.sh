#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library's reference and the articles of Documentation as a DocC archive; a warning is an error. Reads the modules that
# `make build` has left, with the toolchain's own docc: no plugin, no second build.
# usage: Scripts/documentation.sh [--if-possible]   (-> .build/documentation/BAGEL.doccarchive)
#   --if-possible   a toolchain without docc is no error
set -eu
cd "$(dirname "$0")/.."
# Where public names are.
modules="Programs MachineLogs GaussianProcesses ModelChoice Policies Rollouts Tasks Bagel"
output=.build/documentation

if [ "$(uname)" = Darwin ]; then
  docc=$(xcrun --find docc || true)
  extract=$(xcrun --find swift-symbolgraph-extract || true)
else
  tools=$(dirname "$(readlink -f "$(command -v swift)")")
  docc=$tools/docc
  extract=$tools/swift-symbolgraph-extract
fi
if [ ! -x "$docc" ] || [ ! -x "$extract" ]; then
  echo "no documentation: this Swift toolchain comes without docc" >&2
  [ "${1:-}" = --if-possible ] && exit 0
  exit 1
fi
[ "${1:-}" = --if-possible ] && shift

rm -rf "$output"
mkdir -p "$output/symbols" "$output/Bagel.docc"
flags=$(Scripts/module-flags.sh)
# One argument a line: paths may have blanks.
usual=$IFS
IFS="$(printf '\nx')"
IFS=${IFS%x}
set -- $flags \
  -target "$(swiftc -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)",/\1/p')"
IFS=$usual
for module in $modules; do
  "$extract" -module-name "$module" -minimum-access-level public -skip-synthesized-members \
    -output-dir "$output/symbols" "$@"
done
cp -R Documentation/Images "$output/Bagel.docc"
for article in Documentation/*.md; do  # links to files of the repository lead nowhere from an archive; pictures have no folder there
  sed -e 's|\[\([^]]*\)\](\.\./[^)]*)|`\1`|g' -e 's|](Images/|](|g' "$article" >"$output/Bagel.docc/$(basename "$article")"
done
# A page for each module, with README's words for it, in README's order.
printf '\n### Modules\n\n' >>"$output/Bagel.docc/Library.md"
sed -n 's/^| \[\([A-Z][A-Za-z]*\)\](Sources[^|]*| \(.*\) |$/\1 \2/p' README.md | while read -r module words; do
  case " $(echo $modules) " in *" $module "*) ;; *) continue ;; esac
  printf '# ``%s``\n\n%s\n' "$module" "$words" >"$output/Bagel.docc/Module$module.md"
  printf -- '- ``%s``\n' "$module" >>"$output/Bagel.docc/Library.md"
done
"$docc" convert "$output/Bagel.docc" --additional-symbol-graph-dir "$output/symbols" \
  --output-path "$output/BAGEL.doccarchive" --fallback-display-name BAGEL \
  --fallback-bundle-identifier bagel --warnings-as-errors
echo "documentation: python3 -m http.server -d $output/BAGEL.doccarchive, then /documentation/library/ on port 8000"
