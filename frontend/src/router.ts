import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'

import { useSessionStore } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    needsSignIn?: boolean
  }
}

const routes = [
  {
    path: '/watch/:id/',
    name: 'watch',
    component: () => import('@/views/WatchView.vue'),
    props: true,
  },
  {
    path: '/studio/',
    name: 'studio',
    component: () => import('@/views/StudioView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/broadcasts/:id/',
    name: 'console',
    component: () => import('@/views/ConsoleView.vue'),
    props: true,
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/voices/',
    name: 'voices',
    component: () => import('@/views/VoicesView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/presenters/',
    name: 'presenters',
    component: () => import('@/views/PresentersView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/presenters/:id/',
    name: 'presenter',
    component: () => import('@/views/PresenterView.vue'),
    props: true,
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/integrations/',
    name: 'integrations',
    component: () => import('@/views/IntegrationsView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/sign-in/',
    name: 'sign-in',
    component: () => import('@/views/SignInView.vue'),
  },
  {
    path: '/:path(.*)*',
    name: 'not-found',
    component: () => import('@/views/NotFoundView.vue'),
  },
]

/** Send visitors without a session to the sign-in page, and back afterwards. */
export async function requireSession(to: RouteLocationNormalized) {
  const session = useSessionStore()
  if (!to.meta.needsSignIn || (await session.restore())) return true
  return { name: 'sign-in', query: { next: to.fullPath } }
}

const RELOADED = 'livestudio.reloaded'

function forgetReload(): void {
  try {
    sessionStorage.removeItem(RELOADED)
  } catch {
    // Then it was not kept either.
  }
}

/** Remember that a page is loaded anew; false where it just was, since that did not help then. */
function noteReload(path: string): boolean {
  try {
    if (sessionStorage.getItem(RELOADED) === path) return false
    sessionStorage.setItem(RELOADED, path)
    return true
  } catch {
    // Without a memory nobody could tell the second time from the first.
    return false
  }
}

/**
 * Load a page whole whose parts cannot be loaded: after an update of the site those that an open tab
 * would need are gone. Without a network the tab stays as it is, and what is typed in it.
 */
export async function loadAnew(path: string, go = (to: string) => window.location.assign(to)): Promise<void> {
  const isThere = await fetch(path, { method: 'HEAD' }).then(
    (response) => response.ok,
    () => false,
  )
  if (isThere && noteReload(path)) go(path)
}

export const router = createRouter({ history: createWebHistory('/'), routes })
router.beforeEach(requireSession)
router.onError((_, to) => void loadAnew(to.fullPath))
router.afterEach((_to, _from, failure) => {
  if (!failure) forgetReload()
})
