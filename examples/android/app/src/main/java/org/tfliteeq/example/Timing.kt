package org.tfliteeq.example

/** What a model gave on an image, and how long it took. */
class Timing(val codes: ByteArray, val milliseconds: List<Double>) {
    val fastest: Double
        get() = milliseconds.min()

    val median: Double
        get() = milliseconds.sorted()[milliseconds.size / 2]

    /** How many codes are not the same as another's, and by how much the one that differs most. */
    fun differences(other: Timing): Pair<Int, Int> {
        require(codes.size == other.codes.size) { "${codes.size} codes and ${other.codes.size}" }
        val distances = codes.indices.map { kotlin.math.abs(codes[it] - other.codes[it]) }
        return Pair(distances.count { it > 0 }, distances.maxOrNull() ?: 0)
    }
}

/** Times `run`, which gives the model's codes, after runs that warm up. */
fun measure(runs: Int, warmups: Int, run: () -> ByteArray): Timing {
    var codes = ByteArray(0)
    val milliseconds = ArrayList<Double>()
    for (number in -warmups until runs) {
        val start = System.nanoTime()
        codes = run()
        if (number >= 0) milliseconds.add((System.nanoTime() - start) / 1e6)
    }
    return Timing(codes, milliseconds)
}
