//go:build !race

package stateres

const raceFactor = 1
