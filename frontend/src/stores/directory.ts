import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import * as api from '@/api/client'
import { toApiError, type ApiError } from '@/api/errors'
import { newId } from '@/api/ids'
import type { Broadcast, NextAiring, Output, Show } from '@/api/schema'

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

  async function load(): Promise<void> {
    try {
      const lists = [api.listShows(), api.listBroadcasts(RUNNING)] as const
      ;[shows.value, broadcasts.value] = await Promise.all(lists)
      error.value = null
    } catch (failure) {
      error.value = toApiError(failure)
    } finally {
      isLoaded.value = true
    }
  }

  async function loadAirings(): Promise<void> {
    try {
      airings.value = await api.listNextAirings()
    } catch {
      // An hour that nobody could check is worse than none: `load` says what is wrong.
      airings.value = []
    }
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
    shows.value = shows.value.map((item) => (item.id === show ? saved : item))
  }

  const airingOf = (show: string) => airings.value.find((item) => item.show === show)

  const titleOf = (show: string) => shows.value.find((item) => item.id === show)?.title ?? ''

  const nameOf = (output: string) => outputs.value.find((item) => item.id === output)?.name ?? ''

  return {
    shows,
    broadcasts,
    outputs,
    airings,
    isLoaded,
    error,
    load,
    loadAirings,
    loadOutputs,
    start,
    markCommercial,
    airingOf,
    titleOf,
    nameOf,
  }
})
