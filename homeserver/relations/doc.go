// Package relations gathers what clients are told of the events that belong to an event: the
// newest edit, the references, and what a thread holds. It reads, and knows what somebody may see;
// how it is written for a client is package sync's, and noting relations down the store's.
package relations
