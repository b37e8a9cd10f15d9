// Package statetree stores the state of rooms as persistent (copy-on-write) trees.
//
// A tree maps the numeric id of a (type, state_key) pair to the numeric id of the event that
// holds that state. Trees share structure: changing one entry writes the three or four nodes
// on its path, so the state after every event can be kept for ever at a few hundred bytes a
// change, and the difference of two states skips everything that they share.
//
// The shape is a radix-32 trie over a mixed hash of the key, with leaves of up to leafMax
// entries. Shape depends only on the set of keys, never on the order of changes.
//
// Nodes are written in packs: the new nodes of one change, stored as one row. A node is named
// by a Ref, the pack's id and the slot within it.
//
// What a key or a value means is none of this package's business, nor is where packs are kept.
package statetree
