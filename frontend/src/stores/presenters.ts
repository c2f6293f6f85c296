import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import * as api from '@/api/presenters'
import type { Part } from '@/api/calls'
import { toApiError, type ApiError } from '@/api/errors'
import type { UploadOptions } from '@/api/http'
import type { Build, Presenter, PresenterWeights } from '@/api/schema'

import { newPaging, restart, takePart, type Paging } from './paging'

const POLL_MS = 2000
const NONE = { items: [], hasMore: false }

export const isRunning = (build: Pick<Build, 'state'> | null) =>
  build !== null && ['queued', 'building'].includes(build.state)

/** The presenters of the organization, or one of them with its versions; builds are followed. */
export const usePresentersStore = defineStore('presenters', () => {
  const presenters = ref<Presenter[]>([])
  /** By presenter; only of those that are built of uploads. */
  const weights = ref<Record<string, PresenterWeights>>({})
  const builds = ref<Build[]>([])
  const presenterPages = newPaging()
  const buildPages = newPaging()
  const isLoaded = ref(false)
  const error = shallowRef<ApiError | null>(null)
  /** What the page shows: one presenter, or empty for all of them. */
  let shown = ''
  /** What comes for an earlier page or organization is dropped. */
  let round = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const isBuilding = computed(() => presenters.value.some((item) => isRunning(item.newest_build)))

  /** Show all presenters, or the one of this id. */
  async function open(id = ''): Promise<void> {
    stop()
    shown = id
    presenters.value = []
    builds.value = []
    weights.value = {}
    restart(presenterPages, buildPages)
    isLoaded.value = false
    await load()
    await loadWeights()
  }

  async function load(): Promise<void> {
    clearTimeout(timer)
    const mine = round
    try {
      const found = await ask()
      if (mine === round) {
        presenters.value = takePart(presenterPages, found[0])
        builds.value = takePart(buildPages, found[1])
        error.value = null
      }
    } catch (failure) {
      if (mine === round) error.value = toApiError(failure)
    }
    if (mine !== round) return
    isLoaded.value = true
    if (isBuilding.value) timer = setTimeout(() => void load(), POLL_MS)
  }

  /** Whatever the page shows, read as far as it was asked for. */
  async function ask(): Promise<[Part<Presenter>, Part<Build>]> {
    if (!shown) return [await api.listPresenters(presenterPages.pages), NONE]
    const [one, versions] = await Promise.all([
      api.getPresenter(shown),
      api.listBuilds(shown, buildPages.pages),
    ])
    return [{ items: [one], hasMore: false }, versions]
  }

  async function more(paging: Paging): Promise<void> {
    paging.pages += 1
    await load()
    await loadWeights()
  }

  async function loadWeights(): Promise<void> {
    const mine = round
    const filmed = presenters.value.filter((item) => item.is_filmed)
    await Promise.all(
      filmed.map(async ({ id }) => {
        const found = await api.getWeights(id).catch(unknown)
        if (mine === round) weights.value = { ...weights.value, [id]: found }
      }),
    )
  }

  const unknown = (failure: unknown): PresenterWeights => ({
    state: 'unknown',
    message: toApiError(failure).message,
    networks: [],
  })

  async function add(fields: api.UploadFields, options: UploadOptions): Promise<Presenter> {
    const made = await api.uploadPresenter(fields, options)
    await load()
    await loadWeights()
    return made
  }

  async function addVersion(id: string, fields: api.UploadFields, options: UploadOptions): Promise<void> {
    await api.uploadVersion(id, fields, options)
    await load()
  }

  async function cancel(presenter: string, build: string): Promise<void> {
    await api.cancelBuild(presenter, build)
    await load()
  }

  async function retry(presenter: string, build: string): Promise<void> {
    await api.retryBuild(presenter, build)
    await load()
  }

  async function use(presenter: string, build: string): Promise<void> {
    await api.useBuild(presenter, build)
    await load()
    await loadWeights()
  }

  /** Follow nothing any more. */
  function stop(): void {
    round += 1
    clearTimeout(timer)
  }

  return {
    presenters,
    weights,
    builds,
    presenterPages,
    buildPages,
    isLoaded,
    error,
    open,
    load,
    more,
    add,
    addVersion,
    cancel,
    retry,
    use,
    stop,
  }
})
