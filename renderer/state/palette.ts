import { createSpotlight } from '@mantine/spotlight';

/** The command palette's own state; the library keeps it outside of React. */
export const [paletteStore, palette] = createSpotlight();

export const openPalette = (): void => palette.open();
