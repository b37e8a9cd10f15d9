package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Child is a process that ends with the tests, however they end. Its methods must not be called
// concurrently, except for Exited and PID.
type Child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	exit   error         // how, once it has
}

// StartChild starts a process. It lives as long as a thread that is its own: the system ends the child with
// the thread that started it, so that none is left when tests are cut off.
func StartChild(cmd *exec.Cmd) (*Child, error) {
	c := &Child{cmd: cmd, exited: make(chan struct{})}
	cmd.SysProcAttr = procAttr()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.exit = cmd.Wait()
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// PID is the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Signal sends a signal, such as SIGHUP.
func (c *Child) Signal(sig os.Signal) error { return c.cmd.Process.Signal(sig) }

// Kill ends the process as a crash does (SIGKILL), and waits until it is gone.
func (c *Child) Kill() error {
	err := c.cmd.Process.Kill()
	<-c.exited
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the server had ended by itself: %w", c.ended())
	}
	return err
}

// Stop ends the process as an administrator does (SIGTERM). It is an error if it does not end in time and
// well.
func (c *Child) Stop(within time.Duration) error {
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the server had ended by itself: %w", c.ended())
	}
	select {
	case <-c.exited:
		if c.exit != nil {
			return fmt.Errorf("the server ended with an error: %w", c.exit)
		}
		return err
	case <-time.After(within):
		return errors.Join(errors.New("the server did not stop"), c.Kill())
	}
}

// ended is how a process ended that has.
func (c *Child) ended() error {
	<-c.exited
	if c.exit == nil {
		return errors.New("exit status 0")
	}
	return c.exit
}
