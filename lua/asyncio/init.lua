-- asyncio for Lua: the public face. Everything that `require "asyncio"` gives
-- stands here; what it does is in the C core, or in the file of its concept.

local call_graph <const> = require "asyncio.call_graph"
local core <const> = require "asyncio.core"
local eager <const> = require "asyncio.eager"
local runner <const> = require "asyncio.runner"
local threadsafe <const> = require "asyncio.threadsafe"
local subprocess <const> = require "asyncio.subprocess"

require "asyncio.exception_group"
require "asyncio.executor"
require "asyncio.task_group"
require "asyncio.tty"

return {
  _VERSION = "lua-asyncio scm",

  -- running
  run = runner.run,
  Runner = runner.Runner,
  new_event_loop = core.new_event_loop,
  get_running_loop = core.get_running_loop,
  get_event_loop = core.get_event_loop,
  set_event_loop = core.set_event_loop,

  -- awaitables
  await = core.await,
  async = core.async,
  iscoroutinefunction = core.iscoroutinefunction,
  iscoroutine = core.iscoroutine,
  isawaitable = core.isawaitable,
  isfuture = core.isfuture,
  isinstance = core.isinstance,
  create_task = core.create_task,
  ensure_future = core.ensure_future,
  current_task = core.current_task,
  all_tasks = core.all_tasks,
  eager_task_factory = eager.eager_task_factory,
  create_eager_task_factory = eager.create_eager_task_factory,

  -- waiting
  sleep = core.sleep,
  wait_for = core.wait_for,
  timeout = core.timeout,
  timeout_at = core.timeout_at,
  shield = core.shield,
  gather = core.gather,
  wait = core.wait,
  as_completed = core.as_completed,
  FIRST_COMPLETED = core.FIRST_COMPLETED,
  FIRST_EXCEPTION = core.FIRST_EXCEPTION,
  ALL_COMPLETED = core.ALL_COMPLETED,
  timed = require "asyncio.timed",

  TaskGroup = core.TaskGroup,

  -- queues
  Queue = core.Queue,
  LifoQueue = core.LifoQueue,
  PriorityQueue = core.PriorityQueue,

  -- synchronisation
  Lock = core.Lock,
  Event = core.Event,
  Condition = core.Condition,
  Semaphore = core.Semaphore,
  BoundedSemaphore = core.BoundedSemaphore,
  Barrier = core.Barrier,

  -- protected calls
  pcall = core.pcall,
  xpcall = core.xpcall,
  catch = core.catch,

  -- coroutines, generators, callbacks
  coroutine = require "asyncio.coroutine",
  generator = core.generator,
  atomic = core.atomic,
  from_callback = require "asyncio.from_callback",

  -- context variables
  ContextVar = core.ContextVar,
  copy_context = core.copy_context,

  -- streams
  open_connection = core.open_connection,
  start_server = core.start_server,
  open_unix_connection = core.open_unix_connection,
  start_unix_server = core.start_unix_server,
  pipe = core.pipe,
  socketpair = core.socketpair,
  sendfile = require "asyncio.sendfile",
  stdin = core.stdin,
  stdout = core.stdout,
  stderr = core.stderr,

  -- files and signals
  fs = require "asyncio.fs",
  signals = core.signals,

  -- subprocesses
  create_subprocess_exec = subprocess.create_subprocess_exec,
  create_subprocess_shell = subprocess.create_subprocess_shell,
  subprocess = subprocess,

  -- threads
  to_thread = core.to_thread,
  Executor = core.Executor,
  ProcessPoolExecutor = core.ProcessPoolExecutor,
  ThreadPoolExecutor = core.ThreadPoolExecutor,
  cpu_count = core.cpu_count,

  -- datagrams
  open_datagram = core.open_datagram,

  -- descriptors of others
  wait_readable = core.wait_readable,
  wait_writable = core.wait_writable,
  notify_closing = core.notify_closing,
  luasocket = require "asyncio.luasocket",

  -- names
  getaddrinfo = core.getaddrinfo,
  getnameinfo = core.getnameinfo,

  -- off the loop
  register_metatable = core.register_metatable,
  Channel = core.Channel,
  ConcurrentFuture = threadsafe.ConcurrentFuture,
  LoopReference = core.LoopReference,
  run_coroutine_threadsafe = threadsafe.run_coroutine_threadsafe,

  -- seeing inside
  capture_call_graph = core.capture_call_graph,
  format_call_graph = call_graph.format_call_graph,
  print_call_graph = call_graph.print_call_graph,

  -- classes
  Coroutine = core.Coroutine,
  Context = core.Context,
  DatagramEndpoint = core.DatagramEndpoint,
  DatagramTransport = core.DatagramTransport,
  EventLoop = core.EventLoop,
  File = core.File,
  FileWatcher = core.FileWatcher,
  Future = core.Future,
  Generator = core.Generator,
  Handle = core.Handle,
  Process = core.Process,
  Server = core.Server,
  StreamReader = core.StreamReader,
  StreamWriter = core.StreamWriter,
  Task = core.Task,
  Timeout = core.Timeout,
  TimerHandle = core.TimerHandle,
  Token = core.Token,
  Transport = core.Transport,

  -- errors
  exception = core.exception,
  Error = core.Error,
  BrokenBarrierError = core.BrokenBarrierError,
  CalledProcessError = subprocess.CalledProcessError,
  BrokenExecutor = core.BrokenExecutor,
  CancelledError = core.CancelledError,
  DeadlockError = core.DeadlockError,
  ExceptionGroup = core.ExceptionGroup,
  IncompleteReadError = core.IncompleteReadError,
  InvalidStateError = core.InvalidStateError,
  KeyboardInterrupt = core.KeyboardInterrupt,
  LimitOverrunError = core.LimitOverrunError,
  LookupError = core.LookupError,
  OSError = core.OSError,
  QueueEmpty = core.QueueEmpty,
  QueueFull = core.QueueFull,
  QueueShutDown = core.QueueShutDown,
  RuntimeError = core.RuntimeError,
  TimeoutError = core.TimeoutError,
}
