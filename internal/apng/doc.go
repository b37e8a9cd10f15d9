// Package apng writes animated pictures in the format PNG: frames that are cropped to what changes,
// with the whole range of opacity. Programs that do not know of animations show the picture that it is given for them.
//
// The format is that of the PNG specification, third edition, section 11.3.6. Package apngtest reads it, for tests.
package apng
