// Package sentence holds what the program says to people: a sentence in English, which is the key of its
// translations, apart from the names and numbers in it. Who shows it puts it into the reader's language
// (web/page); everywhere else it is English. Nothing else lives here.
package sentence
