import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import * as api from '@/api/client'
import { toApiError, type ApiError } from '@/api/errors'
import { newId } from '@/api/ids'
import type { Broadcast, NextAiring, Output, Show } from '@/api/schema'

import { newestOnly } from './newestOnly'
import { newPaging, restart, takePart, type Paging } from './paging'
import { useSessionStore } from './session'

/** A broadcast that starts or recovers is as much "running" as a live one. */
const RUNNING = ['live', 'starting', 'recovering', 'stopping'] as const

/** Shows of the organization and what is running of them now. */
export const useDirectoryStore = defineStore('directory', () => {
  const shows = ref<Show[]>([])
  const broadcasts = ref<Broadcast[]>([])
  const outputs = ref<Output[]>([])
  const airings = ref<NextAiring[]>([])
  const isLoaded = ref(false)
  const error = shallowRef<ApiError | null>(null)
  const session = useSessionStore()
  const showPages = newPaging()
  const broadcastPages = newPaging()
  const askLists = newestOnly()
  const askAirings = newestOnly()
  /** Whose rows these are. */
  let owner: string | null = null
  let underWay = 0

  /** Nothing of the organization before stays under the name of the next. */
  function turnToOrganization(): void {
    const next = session.organization ?? owner
    if (owner !== null && owner !== next) {
      shows.value = []
      broadcasts.value = []
      airings.value = []
      restart(showPages, broadcastPages)
      isLoaded.value = false
    }
    owner = next
  }

  async function load(): Promise<void> {
    turnToOrganization()
    const isNewest = askLists()
    underWay += 1
    try {
      const found = await Promise.all([
        api.listShows(showPages.pages),
        api.listBroadcasts(RUNNING, broadcastPages.pages),
      ])
      if (!isNewest()) return
      shows.value = takePart(showPages, found[0])
      broadcasts.value = takePart(broadcastPages, found[1])
      error.value = null
    } catch (failure) {
      if (isNewest()) error.value = toApiError(failure)
    } finally {
      underWay -= 1
      if (isNewest()) isLoaded.value = true
    }
  }

  /** `load`, unless an answer is on its way: on a slow network they would only pile up. */
  async function refresh(): Promise<void> {
    if (underWay === 0) await load()
  }

  async function more(paging: Paging): Promise<void> {
    paging.pages += 1
    await load()
  }

  async function loadAirings(): Promise<void> {
    const isNewest = askAirings()
    // An hour that nobody could check is worse than none: `load` says what is wrong.
    const found = await api.listNextAirings().catch(() => [])
    if (isNewest()) airings.value = found
  }

  async function loadOutputs(): Promise<void> {
    try {
      outputs.value = await api.listOutputs()
    } catch {
      // Names are a comfort: without them a destination is shown by its id.
      outputs.value = []
    }
  }

  function start(show: string): Promise<Broadcast> {
    return api.startShow(show, newId())
  }

  /** Whether it sells or advertises: its consents must allow that from its next start on. */
  async function markCommercial(show: string, isCommercial: boolean): Promise<void> {
    const saved = await api.updateShow(show, { is_commercial: isCommercial })
    // Lists that are on their way were made before.
    askLists()
    shows.value = shows.value.map((item) => (item.id === show ? saved : item))
  }

  const airingOf = (show: string) => airings.value.find((item) => item.show === show)

  const nameOf = (output: string) => outputs.value.find((item) => item.id === output)?.name ?? ''

  return {
    shows,
    broadcasts,
    outputs,
    airings,
    showPages,
    broadcastPages,
    isLoaded,
    error,
    load,
    more,
    refresh,
    loadAirings,
    loadOutputs,
    start,
    markCommercial,
    airingOf,
    nameOf,
  }
})
