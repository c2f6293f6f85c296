import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import * as api from '@/api/client'
import { toApiError } from '@/api/errors'
import type { Organization, Scope } from '@/api/schema'

import { forgetDrafts } from './drafts'

/** Those that a program may be given, and what only owners do. */
type Permission = Scope | 'organization.manage'

const HINT = 'livestudio.signed-in'
const CHOSEN = 'livestudio.organization'

function storage(action: (store: Storage) => string | null | void): string | null {
  try {
    return action(localStorage) ?? null
  } catch {
    return null
  }
}

/** Who is signed in, and for which organization. The access token itself stays in the client. */
export const useSessionStore = defineStore('session', () => {
  const username = ref<string | null>(null)
  const organizations = ref<Organization[]>([])
  const organization = ref<string | null>(null)
  /** What the role in the organization allows. The server decides anyway: this offers no more. */
  const permissions = computed(
    () => organizations.value.find((item) => item.id === organization.value)?.permissions ?? [],
  )
  const may = (permission: Permission) => permissions.value.includes(permission)
  /** Whether the admin lets them in. */
  const isStaff = ref(false)
  const isSignedIn = computed(() => username.value !== null)

  /** The session has ended under an open page, and its user is asked to sign in again. */
  const isAsked = ref(false)
  /** Grows with each sign-in: what was refused before it may be asked for again. */
  const signIns = ref(0)

  api.setSignedOutHandler(expire)

  /** The page keeps its user and organization, and with them what was typed into it. */
  function expire(): void {
    if (isSignedIn.value) isAsked.value = true
    else clear()
  }

  function clear(): void {
    isAsked.value = false
    username.value = null
    organizations.value = []
    isStaff.value = false
    chooseOrganization(null)
    storage((store) => store.removeItem(HINT))
    forgetDrafts()
  }

  function chooseOrganization(id: string | null): void {
    organization.value = id
    api.setOrganization(id)
    if (id) storage((store) => store.setItem(CHOSEN, id))
  }

  async function loadMe(): Promise<void> {
    const me = await api.getMe()
    organizations.value = me.organizations
    isStaff.value = me.is_staff
    // Who signs in again goes on where they were, whatever another tab has chosen meanwhile.
    const chosen = organization.value ?? storage((store) => store.getItem(CHOSEN))
    const known = me.organizations.find((item) => item.id === chosen) ?? me.organizations[0]
    chooseOrganization(known?.id ?? null)
    username.value = me.username
    storage((store) => store.setItem(HINT, '1'))
  }

  async function signIn(name: string, password: string, code = ''): Promise<void> {
    await api.signIn(name, password, code)
    await loadMe()
    isAsked.value = false
    signIns.value += 1
  }

  /** Come back after a reload by the cookie; quiet when there was no session. */
  async function restore(): Promise<boolean> {
    if (isSignedIn.value) return true
    if (!storage((store) => store.getItem(HINT))) return false
    try {
      if (await api.renewSession()) await loadMe()
    } catch {
      return false
    }
    return isSignedIn.value
  }

  /** Throws ApiError where the server was not told: its cookie would let the next one in. */
  async function signOut(): Promise<void> {
    try {
      await api.signOut()
    } catch (failure) {
      if (toApiError(failure).status !== 401) throw failure
    }
    api.forgetAccess()
    clear()
  }

  return {
    username,
    organizations,
    organization,
    may,
    isStaff,
    isSignedIn,
    isAsked,
    signIns,
    expire,
    forget: clear,
    chooseOrganization,
    signIn,
    restore,
    signOut,
  }
})
