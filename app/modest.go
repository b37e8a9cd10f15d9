package app

import (
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
)

const (
	// modestNice is how much less of the processors this program gets than others that want them; see nice(2).
	modestNice = 5
	// modestHeap is how much the heap grows, in percent, before garbage is collected, unless the environment says otherwise: what a
	// long command reads is garbage soon.
	modestHeap = 300
)

// beModest lets others go first: a command that works for minutes beside the server, for which the server has more work than it has
// itself, would else be in the way of those who wait for the server.
func beModest() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(modestHeap)
	}
	// To Linux each thread has its own; those to come take after those that are there. Elsewhere there is no such folder.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, tid, modestNice) // a thread may have ended
		}
	}
}
