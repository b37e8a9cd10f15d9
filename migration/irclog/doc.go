// Package irclog reads logs of IRC clients, as history of channels: those of WeeChat, irssi, ZNC,
// EnergyMech, Limnoria and eggdrop. A log says of a line only when it was said, by whom and what; so a line is known by these.
//
// What must not live here: the protocol of IRC (bridges/irc has it).
package irclog
