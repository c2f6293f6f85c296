/** Engines that a host can upload a person for, in the order in which they are offered. */
export const FILMED_ENGINES = ['portrait', 'musetalk', 'wav2lip256'] as const
export type FilmedEngine = (typeof FILMED_ENGINES)[number]

/** What is put into the field of the browser's file dialog. */
export const ACCEPTED = 'video/*,image/*,.zip,application/zip'
