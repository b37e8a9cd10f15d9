// Package wire holds what the bridge reads of Discord's API: the fields that it
// needs, decoded so that one field that is not as documented costs no more than
// itself.
//
// Nothing here calls Discord or knows of Matrix. What is sent to Discord is made
// where it is sent.
package wire
