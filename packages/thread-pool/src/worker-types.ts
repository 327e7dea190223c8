// From the type of a worker module to the types of its tasks.
import type { Moved } from './define-worker.ts'

/** Any worker: the names, tasks and results of a pool that was not told its type. */
export interface UntypedWorker {
  readonly untyped?: true
}

type AnyFunction = (task: never, context: never) => unknown

/** Handlers of a definition, or the functions that a module exports. */
type HandlersOf<W> = W extends { handlers: infer Handlers }
  ? Handlers
  : { [Name in keyof W as W[Name] extends AnyFunction ? Name : never]: W[Name] }

/** Names that `run()` takes. */
export type TaskName<W> = W extends UntypedWorker
  ? UntypedWorker extends W
    ? string
    : keyof HandlersOf<W> & string
  : keyof HandlersOf<W> & string

/** What may be said as the name of the default handler: also all that an untyped pool may have. */
export type DefaultName<W> = UntypedWorker extends W ? string : 'default'

/** What the handler takes: its first parameter. */
export type TaskValue<W, Name> = UntypedWorker extends W
  ? unknown
  : Name extends keyof HandlersOf<W>
    ? HandlersOf<W>[Name] extends (...parameters: infer Parameters) => unknown
      ? Parameters extends []
        ? undefined
        : Parameters[0]
      : never
    : never

/** What `run()` is fulfilled with. */
export type TaskResult<W, Name> = UntypedWorker extends W
  ? unknown
  : Name extends keyof HandlersOf<W>
    ? HandlersOf<W>[Name] extends (...parameters: never) => infer Result
      ? Unmoved<Awaited<Result>>
      : never
    : never

type Unmoved<Result> = Result extends Moved<infer Value> ? Value : Result
