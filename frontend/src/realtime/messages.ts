import type { Broadcast, CommandName, ErrorBody, Metrics } from '@/api/schema'

import type { components } from './sockets'

type Schemas = components['schemas']
type ConsoleServer = Schemas['console_server']
type ConsoleClient = Schemas['console_client']
type Told<T extends ConsoleServer['type']> = Extract<ConsoleServer, { type: T }>

/** What the console socket tells, by its `type`. Broadcast, numbers, errors have their REST form. */
export type ConsoleMessage =
  | Exclude<ConsoleServer, { type: 'welcome' | 'metrics' | 'result' }>
  | ResultMessage
  | (Omit<Told<'welcome'>, 'broadcast'> & { broadcast: Broadcast })
  | (Omit<Told<'metrics'>, 'metrics'> & { metrics: Metrics })
type CommandMessage = Extract<ConsoleClient, { type: 'command' }>
/** What a console says to the server. `args`: the body of the REST verb, see `CommandArguments`. */
export type ConsoleRequest =
  | Exclude<ConsoleClient, { type: 'command' }>
  | (Omit<CommandMessage, 'name' | 'args'> & { name: CommandName; args: unknown })
/** A line as it is heard. */
export type Caption = Told<'caption'>
export type ResultMessage = Omit<Told<'result'>, 'error'> & { error?: ErrorBody | null }

/** What the watch socket tells, by its `type`. */
export type WatchMessage = Schemas['watch_server']
/** What a viewer says to the server. */
export type WatchRequest = Schemas['watch_client']
