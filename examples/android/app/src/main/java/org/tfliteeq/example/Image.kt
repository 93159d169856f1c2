package org.tfliteeq.example

/**
 * An image as the codes of a model whose input is int8 with a zero point of -128: red, green and blue of each pixel, from pixels
 * packed as Android's bitmaps have them (0xAARRGGBB).
 */
fun codesOf(pixels: IntArray): ByteArray {
    val codes = ByteArray(3 * pixels.size)
    for ((i, pixel) in pixels.withIndex()) {
        for (channel in 0 until 3) {
            codes[3 * i + channel] = ((pixel shr (16 - 8 * channel) and 0xff) - 128).toByte()
        }
    }
    return codes
}
