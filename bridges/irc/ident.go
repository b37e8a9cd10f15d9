package irc

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
)

// ident answers who has which connection (RFC 1413), so that a network can tell the bridge's users apart.
type ident struct {
	spawn func(func()) // starts goroutines; set before serve

	mu    sync.Mutex
	users map[[2]int]string // by the local and the remote port
	// dialing is how many connections are being made: a server may ask whose one is before it is known here. changed is
	// closed when one is.
	dialing int
	changed chan struct{}
}

func newIdent() *ident { return &ident{users: make(map[[2]int]string), changed: make(chan struct{})} }

// connect makes a connection of a user.
func (i *ident) connect(user string, dial func() (net.Conn, error)) (net.Conn, error) {
	if i == nil {
		return dial()
	}
	i.mu.Lock()
	i.dialing++
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		i.dialing--
		close(i.changed)
		i.changed = make(chan struct{})
		i.mu.Unlock()
	}()
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	return i.watch(conn, user), nil
}

// dialTime is how long a server waits at most for the answer whose a connection is that is just being made.
const dialTime = 2 * time.Second

// userOf is whose a connection is, by its local and remote port, or empty.
func (i *ident) userOf(key [2]int) string {
	patience := time.NewTimer(dialTime)
	defer patience.Stop()
	for {
		i.mu.Lock()
		user, dialing, changed := i.users[key], i.dialing, i.changed
		i.mu.Unlock()
		if user != "" || dialing == 0 {
			return user
		}
		select {
		case <-changed:
		case <-patience.C:
			return ""
		}
	}
}

// watch remembers whose a connection is until it is closed.
func (i *ident) watch(conn net.Conn, user string) net.Conn {
	local, ok1 := conn.LocalAddr().(*net.TCPAddr)
	remote, ok2 := conn.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return conn
	}
	key := [2]int{local.Port, remote.Port}
	i.mu.Lock()
	i.users[key] = user
	i.mu.Unlock()
	return &identConn{Conn: conn, end: sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.users, key)
	})}
}

type identConn struct {
	net.Conn
	end func()
}

func (c *identConn) Close() error {
	c.end()
	return c.Conn.Close()
}

const (
	identTime = 10 * time.Second
	maxIdents = 256
)

// serve answers on a listener until ctx is done.
func (i *ident) serve(ctx context.Context, l net.Listener, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	work := appservice.Work{By: i.spawn}
	defer work.Wait()
	slots := make(chan struct{}, maxIdents)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				log.Error("the ident server has ended", "error", err)
			}
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		work.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(identTime))
			line, err := bufio.NewReaderSize(conn, 1024).ReadSlice('\n')
			if err == nil {
				_, _ = conn.Write([]byte(i.answer(string(line))))
			}
		})
	}
}

// answer answers "<port-on-server> , <port-on-client>": the first is the port here.
func (i *ident) answer(line string) string {
	here, there, ok := strings.Cut(strings.TrimSpace(line), ",")
	local, err1 := strconv.Atoi(strings.TrimSpace(here))
	remote, err2 := strconv.Atoi(strings.TrimSpace(there))
	if !ok || err1 != nil || err2 != nil || local < 1 || local > 65535 || remote < 1 || remote > 65535 {
		return "0 , 0 : ERROR : INVALID-PORT\r\n"
	}
	user := i.userOf([2]int{local, remote})
	if user == "" {
		return fmt.Sprintf("%d , %d : ERROR : NO-USER\r\n", local, remote)
	}
	return fmt.Sprintf("%d , %d : USERID : UNIX : %s\r\n", local, remote, user)
}
