// Package lottie draws animations in the format Lottie (JSON that bodymovin exports), which
// Discord's own stickers have, into pictures.
//
// It lives by the documents of strangers: Parse refuses what is too large, drawing has a
// budget of work and ends with its context, and nothing in a document makes it fail otherwise. What it does not know
// it leaves out: expressions, effects, cameras and depth, and text whose letters are not in the
// document. What a document means is as lottie-web shows it; integration/lottie compares.
//
// document.go, shape.go, style.go, text.go and property.go read a document into what is drawn; render.go, shapes.go, paint.go
// and matte.go draw it at a time; picture.go makes files of it. Geometry is vector's, and the format of the file apng's.
package lottie
