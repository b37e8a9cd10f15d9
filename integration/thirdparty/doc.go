// Package thirdparty has tests of bridges by others, unmodified, on the real binary: a small IRC bridge
// on matrix-appservice-bridge and matrix-appservice (npm), and heisenbridge on mautrix (PyPI), with a
// real IRC server behind them. stockbridge is a bridge of our own on mautrix-go's main for bridges (mxmain), unchanged, with a network that
// the test plays: what is tested is mautrix-go, as its bridges use a homeserver. The others come from the public registries, with their versions pinned, and
// are kept in the user's cache folder (package tools).
package thirdparty
