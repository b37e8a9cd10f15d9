package irc

import (
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"maunium.net/go/mautrix/id"
)

// ledger remembers how far the messages that are under way to a network have got:
// which of their lines were given to the operating system to be written, and whether
// the server has confirmed them. It is a file that is mapped into memory, because a
// note in it is one store to memory, which a process that is killed cannot take
// back; a commit of the database would take a thousand times longer, and the process
// could die between it and the write that it announces.
//
// It is only an addition to the outbox: what it says counts for messages that wait
// there, and it is not flushed, so it need not survive a crash of the machine.
type ledger struct {
	slots []uint64 // mapped as long as there is a mark; nil without a file

	mu    sync.Mutex
	bySeq map[int64]*mark
	free  []int
}

// ledgerSlots is how many messages may be under way; for more, the database serves.
const ledgerSlots = 4096

// A slot is 0 or, from the highest bit: whether the server has confirmed all lines,
// the message's number in the outbox (40 bits), a checksum of its event's id (12),
// so that a file that belongs to another database does no harm, and how many lines
// were written (11).
const (
	slotLines     = 1<<11 - 1
	slotSum       = 1<<12 - 1
	slotSeq       = 1<<40 - 1
	slotDelivered = 1 << 63
)

func slotKey(seq int64, event id.EventID) uint64 {
	return uint64(seq)&slotSeq<<23 | uint64(crc32.ChecksumIEEE([]byte(event)))&slotSum<<11
}

// openLedger opens or makes a ledger. Without a path, or where files cannot be
// mapped, it is empty and its marks can't be had. Of what is in it, that of the
// waiting messages is kept.
func openLedger(path string, waiting map[int64]id.EventID) (*ledger, error) {
	l := &ledger{bySeq: make(map[int64]*mark)}
	if path == "" {
		return l, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the ledger of lines: %w", err)
	}
	defer f.Close()
	content := make([]byte, 8*ledgerSlots)
	n, _ := f.ReadAt(content, 0)
	// All of it is written: on a full disk a store to a hole would be a fault.
	if _, err := f.WriteAt(content[n:], int64(n)); err != nil {
		return nil, fmt.Errorf("make the ledger of lines: %w", err)
	}
	raw, err := mapFile(f, 8*ledgerSlots)
	if err != nil {
		return nil, fmt.Errorf("map the ledger of lines: %w", err)
	}
	if raw == nil {
		return l, nil
	}
	runtime.AddCleanup(l, unmapFile, raw)
	// A mapping begins at a page, so it is aligned for any integer.
	l.slots = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(raw))), ledgerSlots)
	for i, v := range l.slots {
		seq := int64(v >> 23 & slotSeq)
		event, ok := waiting[seq]
		if ok && v&^(slotDelivered|slotLines) == slotKey(seq, event) && l.bySeq[seq] == nil {
			l.bySeq[seq] = l.mark(i, slotKey(seq, event))
			continue
		}
		l.slots[i] = 0
		l.free = append(l.free, i)
	}
	return l, nil
}

// mark is the place of one message in a ledger.
type mark struct {
	of    *ledger // which stays mapped as long as it can be reached
	slot  *uint64
	index int
	key   uint64
}

func (l *ledger) mark(index int, key uint64) *mark {
	return &mark{of: l, slot: &l.slots[index], index: index, key: key}
}

// of returns the mark of a message, or nil if it has none and make is false or there
// is no room.
func (l *ledger) of(o *outgoing, make bool) *mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.bySeq[o.Seq]; m != nil || !make || len(l.free) == 0 || o.Seq > slotSeq {
		return m
	}
	last := len(l.free) - 1
	m := l.mark(l.free[last], slotKey(o.Seq, o.EventID))
	l.free, l.bySeq[o.Seq] = l.free[:last], m
	return m
}

// forget frees the mark of a message that the outbox has done with.
func (l *ledger) forget(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.bySeq[seq]; m != nil {
		m.store(0)
		delete(l.bySeq, seq)
		l.free = append(l.free, m.index)
	}
}

// written notes that so many lines are written, from now on.
func (m *mark) written(lines int) { m.store(m.key | uint64(lines)&slotLines) }

// delivered notes that the server has confirmed the lines that were written.
func (m *mark) delivered() { m.store(atomic.LoadUint64(m.slot) | slotDelivered) }

// state returns what was noted.
func (m *mark) state() (lines int, delivered bool) {
	v := atomic.LoadUint64(m.slot)
	return int(v & slotLines), v&slotDelivered != 0
}

// store writes a slot. Some file systems find out that the disk is full only then;
// the note is lost, and a process that dies now may repeat the line.
func (m *mark) store(v uint64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	atomic.StoreUint64(m.slot, v)
}
