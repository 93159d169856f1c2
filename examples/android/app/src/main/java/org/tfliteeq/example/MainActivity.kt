package org.tfliteeq.example

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.os.Bundle
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import kotlin.concurrent.thread
import org.tfliteeq.EqAccelerator
import org.tfliteeq.EqOptions

private const val MODEL = "model.tflite"
private const val SIZE = 224 // of the model's input
private const val RUNS = 50
private const val WARMUPS = 5

/** Runs a model on a bundled image, with the accelerator and without, and shows times and whether outputs are the same. */
class MainActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val image = assets.open("image.png").use { BitmapFactory.decodeStream(it) }
        val text = TextView(this).apply { setPadding(32, 32, 32, 32) }
        val picture = ImageView(this).apply { setImageBitmap(image) }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                addView(picture)
                addView(text)
            }
        )
        text.text = "Running ..."
        thread {
            val result =
                try {
                    compare(image)
                } catch (error: Exception) {
                    "$error"
                }
            runOnUiThread { text.text = result }
        }
    }

    private fun compare(image: Bitmap): String {
        val scaled = Bitmap.createScaledBitmap(image, SIZE, SIZE, true)
        val pixels = IntArray(SIZE * SIZE)
        scaled.getPixels(pixels, 0, SIZE, 0, 0, SIZE, SIZE)
        val codes = codesOf(pixels)
        val alone = timed(null, codes, RUNS)
        if (!EqAccelerator.isSupported()) {
            return "LiteRT alone: ${describe(alone)}\nThe accelerator is for arm64 phones."
        }
        val accelerated = timed(EqOptions(), codes, RUNS)
        // The same operators by their specification: what the accelerator has to equal, code for code.
        val reference = timed(EqOptions().setReferenceInPlace(true), codes, 1)
        val (wrong, _) = accelerated.differences(reference)
        val (other, most) = accelerated.differences(alone)
        return """
            LiteRT alone: ${describe(alone)}
            with tflite_eq: ${describe(accelerated)}
            codes that differ from the reference: $wrong of ${codesOf(accelerated)} (expected: 0)
            codes that XNNPACK rounds otherwise: $other, by at most $most
        """.trimIndent()
    }

    private fun codesOf(timing: Timing) = timing.codes.size

    private fun timed(options: EqOptions?, codes: ByteArray, runs: Int): Timing =
        Classifier(assets, MODEL, options).use { classifier ->
            measure(runs, WARMUPS) { classifier.run(codes) }
        }

    private fun describe(timing: Timing) =
        "%.2f ms at least, %.2f ms in the middle of %d runs".format(timing.fastest, timing.median, timing.milliseconds.size)
}
