// What the sender and the receive threads share: how a thread asks to be on time, and the sockets' options.
#pragma once
#include <linux/net_tstamp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "http/connection.h"

namespace dyno::http {

// The scheduler serves a thread with a short slice sooner when it wakes (EEVDF, Linux 6.12 and newer): no privilege needed.
// Older kernels ignore the field. Timers fire at their time instead of up to 50 µs later.
inline void prepareThread() {
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } attributes{sizeof attributes, SCHED_OTHER, 0, getpriority(PRIO_PROCESS, 0), 0, 100'000, 0, 0};
  syscall(SYS_sched_setattr, 0, &attributes, 0);
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

// First in line for the processor, where the user may (root, CAP_SYS_NICE, an rtprio limit). Beside busy cores a sender is
// else late by a scheduler's slice, and a receive thread lets segments of one socket merge under the last one's stamp. Both
// sleep between events; the sender turns round for at most `spinNs` before a request.
inline bool askForRealtime() {
  const sched_param first{sched_get_priority_min(SCHED_FIFO)};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
}

inline bool askForStamps(int socket) {
  const int wanted = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  return setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted) == 0;
}

inline void signal(const Socket& event) {
  const std::uint64_t one = 1;
  if (::write(event.get(), &one, sizeof one) < 0) return;  // full: the thread is being woken already
}

inline void swallow(const Socket& event) {
  std::uint64_t count = 0;
  if (::read(event.get(), &count, sizeof count) < 0) return;
}

}  // namespace dyno::http
