// Package format turns the formatting of IRC messages into Matrix HTML and back,
// and splits formatted text into lines that fit IRC.
//
// The control codes are those of https://modern.ircdocs.horse/formatting: bold,
// italic, underline, strikethrough, monospace, reverse, the 99 colours,
// hexadecimal colours, and reset. HTML is what the Matrix specification allows
// in org.matrix.custom.html.
//
// All input is foreign: any string is accepted, and output is always valid UTF-8
// without control characters other than the formatting codes (towards IRC) or
// with everything escaped (towards Matrix).
package format
