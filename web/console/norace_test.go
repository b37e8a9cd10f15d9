//go:build !race

package console

// raceFactor is by how much the race detector makes things slower; there is none.
const raceFactor = 1
