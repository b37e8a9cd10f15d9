// Package media keeps files that people send: content-addressed on disk, streamed in and out,
// with thumbnails of pictures made on demand.
//
// The bytes of each file are kept once, under their SHA-256; which ids stand for them is kept by
// package store. The package's HTTP helpers write a response or return an error for the caller
// to write; who may do what, and the paths, are the caller's.
package media
