import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import * as api from '@/api/client'
import type { ApiError } from '@/api/errors'
import { toApiError } from '@/api/errors'
import type {
  Broadcast,
  BroadcastEvent,
  BroadcastOutput,
  CommandArguments,
  CommandName,
  Cue,
  Metrics,
  Show,
  Utterance,
} from '@/api/schema'
import { ConsoleSocket, type LinkState } from '@/realtime/consoleSocket'
import type { ConsoleMessage } from '@/realtime/messages'

import { useCommandsStore } from './commands'
import { extendSeries, type Series } from './metricSeries'
import { useSessionStore } from './session'

const EVENTS_KEPT = 300
const UTTERANCES_KEPT = 200
/** Codes that mean "the websocket did not carry it": the same verb goes by HTTP instead. */
const LINK_CODES = ['link_down']

/** Everything the control room of one broadcast shows, kept current by its console socket. */
export const useConsoleStore = defineStore('console', () => {
  const commands = useCommandsStore()
  const session = useSessionStore()
  const broadcastId = ref('')
  const broadcast = ref<Broadcast | null>(null)
  const show = ref<Show | null>(null)
  const link = ref<LinkState>('closed')
  const linkError = shallowRef<ApiError | null>(null)
  const permissions = ref<string[]>([])
  const utterances = ref<Utterance[]>([])
  const events = ref<BroadcastEvent[]>([])
  const metrics = shallowRef<Metrics>({})
  const series = shallowRef<Series>({})
  const caption = ref('')
  /** Address of each picture that a card of the rundown names. */
  const pictures = shallowRef<Record<string, string>>({})
  let socket: ConsoleSocket | null = null

  const isOver = computed(() => ['ended', 'failed'].includes(broadcast.value?.state ?? ''))
  /** Before the welcome the rights are not known: the server decides anyway. */
  const canSteer = computed(() => allows('broadcast.steer'))
  const canReplaceKey = computed(() => allows('broadcast.replace_key'))
  /** The runner says so: the picture is empty, and the rundown waits. */
  const isPresenterLoading = computed(() => metrics.value.presenter_loads === true && !isOver.value)
  const title = computed(() => broadcast.value?.title || show.value?.title || '')
  /** The rundown on air is the one the broadcast started with, even if the show was edited since. */
  const cues = computed<Cue[]>(() => broadcast.value?.rundown ?? show.value?.cues ?? [])
  const lastSequence = computed(() => events.value.at(-1)?.sequence ?? 0)

  function allows(permission: string): boolean {
    return permissions.value.length === 0 || permissions.value.includes(permission)
  }

  async function open(id: string): Promise<void> {
    close()
    reset(id)
    const mine = new ConsoleSocket(id, {
      onMessage: receive,
      onLink: setLink,
      lastSequence: () => lastSequence.value,
      onGap: () => void load(id),
    })
    socket = mine
    await load(id)
    // Meanwhile somebody may have gone to another console, or away and back to this one.
    if (socket === mine) await mine.connect()
  }

  function close(): void {
    socket?.close()
    socket = null
  }

  /** Whoever was refused because the session had ended comes back with the next one. */
  watch(
    () => session.signIns,
    () => link.value === 'refused' && void socket?.connect(),
  )

  function reset(id: string): void {
    broadcastId.value = id
    broadcast.value = null
    show.value = null
    utterances.value = []
    events.value = []
    metrics.value = {}
    series.value = {}
    caption.value = ''
    pictures.value = {}
    permissions.value = []
    commands.clear()
  }

  async function load(id: string): Promise<void> {
    const mine = socket
    try {
      const found = await api.getBroadcast(id)
      if (socket !== mine) return
      setBroadcast(found)
      const lists = [api.listUtterances(id), api.listEvents(id)] as const
      const [said, happened] = await Promise.all(lists)
      if (socket !== mine) return
      // The newest come first; each has the place that it had when it was told.
      said.reverse().forEach(putUtterance)
      happened.forEach(putEvent)
    } catch (error) {
      if (socket === mine) linkError.value = toApiError(error)
    }
  }

  function setLink(state: LinkState, error: ApiError | null): void {
    link.value = state
    linkError.value = error
  }

  function setBroadcast(next: Broadcast): void {
    const isFirst = show.value === null
    broadcast.value = next
    if (next.metrics) putMetrics(next.metrics)
    if (isFirst) void loadShow(next.show)
  }

  async function loadShow(id: string): Promise<void> {
    // One that was deleted since, or may not be seen: the airing has its own title and rundown.
    const found = await api.getShow(id).catch(() => null)
    if (broadcast.value?.show !== id) return
    show.value = found
    if (cues.value.some((cue) => cue.card?.picture)) await loadPictures()
  }

  async function loadPictures(): Promise<void> {
    try {
      const found = await api.listPictures('card')
      pictures.value = Object.fromEntries(found.map((item) => [item.id, item.image_url]))
    } catch {
      // A card is known by its name too.
      pictures.value = {}
    }
  }

  function receive(message: ConsoleMessage): void {
    switch (message.type) {
      case 'welcome':
        permissions.value = message.permissions
        return setBroadcast(message.broadcast)
      case 'state': {
        const { state, reason, script, record } = message
        return patch({ state, reason, ...(script && { script }), ...(typeof record === 'boolean' && { record }) })
      }
      case 'cursor': {
        const { cue, sentence, loop } = message
        return patch({ cursor: { cue, sentence, loop } })
      }
      case 'utterance':
        return putUtterance(rowOf(message))
      case 'caption':
        // Where the captions are drawn into the picture, a second line would only cover it.
        caption.value = show.value?.overlays?.captions === false ? message.text : ''
        return
      case 'output':
        return putOutput(rowOf(message))
      case 'metrics':
        return putMetrics(message.metrics)
      case 'event':
        putEvent(rowOf(message))
        return applyEvent(message)
    }
  }

  function patch(fields: Partial<Broadcast>): void {
    if (broadcast.value) broadcast.value = { ...broadcast.value, ...fields }
  }

  function putUtterance(next: Utterance): void {
    const index = utterances.value.findIndex((item) => item.id === next.id)
    const known = utterances.value[index]
    if (known) utterances.value.splice(index, 1, { ...known, ...next })
    else utterances.value = [...utterances.value, next].slice(-UTTERANCES_KEPT)
  }

  /** With its process went the sentence that it was saying; the next one says it again. */
  function cutOff(): void {
    utterances.value = utterances.value.map((item) =>
      item.state === 'speaking' ? { ...item, state: 'interrupted' } : item,
    )
  }

  function putOutput(next: Partial<BroadcastOutput> & { id: string }): void {
    const list = broadcast.value?.outputs ?? []
    const known = list.find((item) => item.id === next.id)
    const blank = { output: '', state: 'connecting', reason: '' } as BroadcastOutput
    const merged = { ...(known ?? blank), ...next }
    patch({ outputs: known ? list.map((item) => (item === known ? merged : item)) : [...list, merged] })
  }

  /** The rows of outputs come with each change of state only; their numbers move all the time. */
  function putOutputNumbers(outputs: unknown): void {
    if (!Array.isArray(outputs)) return
    for (const { id, bitrate_kbps, dropped } of outputs as BroadcastOutput[]) {
      const isKnown = broadcast.value?.outputs?.some((item) => item.id === id)
      if (isKnown) putOutput({ id, bitrate_kbps, dropped })
    }
  }

  function putMetrics(next: Metrics): void {
    metrics.value = next
    series.value = extendSeries(series.value, next)
    putOutputNumbers(next.outputs)
  }

  function putEvent(next: BroadcastEvent): void {
    const list = events.value
    if (list.some((item) => item.sequence === next.sequence)) return
    const isNewest = next.sequence > lastSequence.value
    const all = isNewest ? [...list, next] : [...list, next].sort(bySequence)
    events.value = all.slice(-EVENTS_KEPT)
  }

  /**
   * What no message of its own tells, and the sentences of a gap. State, cursor and outputs are not
   * among it: those of a replay are older than the welcome.
   */
  function applyEvent({ kind, data, at }: BroadcastEvent): void {
    if (kind === 'runner.started') cutOff()
    if (kind === 'broadcast.first_frame' && !broadcast.value?.first_frame_at) {
      patch({ first_frame_at: at })
    }
    if (kind === 'utterance') {
      const started = data.state === 'speaking' ? { started_at: at } : {}
      putUtterance({ ...data, ...started } as unknown as Utterance)
    }
  }

  /** Run a verb over the websocket, or over HTTP while the link is down. True when it was done. */
  function run<N extends CommandName>(
    name: N,
    args: CommandArguments[N],
    label: string = name,
  ): Promise<boolean> {
    return commands.track(label, (id) => deliver(id, name, args))
  }

  /** Throws what it was refused with: that is said beside the box. id: of this line, at every try. */
  async function say(args: CommandArguments['say'], id: string): Promise<void> {
    const sent = deliver(id, 'say', args)
    await commands.track('say', () => sent, id)
    await sent
  }

  async function deliver<N extends CommandName>(id: string, name: N, args: CommandArguments[N]) {
    try {
      if (socket?.isOpen) return await socket.send(id, name, args)
    } catch (error) {
      if (!LINK_CODES.includes(toApiError(error).code)) throw error
    }
    // The server knows a command of a console by this name: sent by both ways it is done once.
    return api.postCommand(broadcastId.value, name, args, `console.${id}`)
  }

  function switchOutput(output: string, verb: 'start' | 'stop'): Promise<boolean> {
    const run = () => api.switchOutput(broadcastId.value, output, verb)
    return commands.track(`output_${verb}`, run)
  }

  /** Throws what it was refused with: that is said beside the field of the key. */
  async function replaceOutputKey(output: string, streamKey: string): Promise<void> {
    const sent = api.replaceOutputKey(broadcastId.value, output, streamKey)
    await commands.track('output_key', () => sent)
    await sent
  }

  return {
    broadcast,
    show,
    link,
    linkError,
    permissions,
    utterances,
    events,
    metrics,
    series,
    caption,
    pictures,
    isOver,
    canSteer,
    canReplaceKey,
    isPresenterLoading,
    title,
    cues,
    open,
    close,
    patch,
    run,
    say,
    switchOutput,
    replaceOutputKey,
  }
})

/** A row as REST has it: its message says `type` before it. */
function rowOf<M extends { type: string }>({ type: _, ...row }: M): Omit<M, 'type'> {
  return row
}

function bySequence(a: BroadcastEvent, b: BroadcastEvent): number {
  return a.sequence - b.sequence
}
