import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

import * as api from '@/api/client'
import { toApiError, type ApiError } from '@/api/errors'
import type { Broadcast, Output, Show } from '@/api/schema'

/** Shows of the organization and what is running of them now. */
export const useDirectoryStore = defineStore('directory', () => {
  const shows = ref<Show[]>([])
  const broadcasts = ref<Broadcast[]>([])
  const outputs = ref<Output[]>([])
  const isLoaded = ref(false)
  const error = shallowRef<ApiError | null>(null)

  async function load(): Promise<void> {
    try {
      // A broadcast that starts or recovers is as much "running" as a live one.
      const states = ['live', 'starting', 'recovering', 'stopping']
      const lists = states.map((state) => api.listBroadcasts(state))
      const [foundShows, ...running] = await Promise.all([api.listShows(), ...lists])
      shows.value = foundShows
      broadcasts.value = uniqueById(running.flat())
      error.value = null
    } catch (failure) {
      error.value = toApiError(failure)
    } finally {
      isLoaded.value = true
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
    return api.startShow(show, crypto.randomUUID())
  }

  const titleOf = (show: string) => shows.value.find((item) => item.id === show)?.title ?? ''

  return { shows, broadcasts, outputs, isLoaded, error, load, loadOutputs, start, titleOf }
})

function uniqueById(items: Broadcast[]): Broadcast[] {
  return [...new Map(items.map((item) => [item.id, item])).values()]
}
