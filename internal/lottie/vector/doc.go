// Package vector has the geometry that vector animations are drawn with: points, matrices, Bézier paths and
// what is done to them (cut, rounded, dashed, outlined), and a rasterizer that says how much of
// each pixel they cover.
//
// It knows nothing of colours, documents or time. All of it is for input of strangers: no
// number, however large or not a number at all, makes it panic, and what could grow without
// bound has a limit beside it. Nothing here is safe for use by several goroutines at once,
// as far as it is changed.
package vector
