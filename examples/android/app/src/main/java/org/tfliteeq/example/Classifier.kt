package org.tfliteeq.example

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import org.tfliteeq.EqAccelerator
import org.tfliteeq.EqOptions

/** A model on the CPU: LiteRT alone, or with the accelerator. */
class Classifier(assets: AssetManager, model: String, options: EqOptions?) : AutoCloseable {
    private val environment = Environment.create(environmentOptions(options))
    private val model =
        CompiledModel.create(assets, model, CompiledModel.Options(Accelerator.CPU), environment)
    private val inputs = this.model.createInputBuffers()
    private val outputs = this.model.createOutputBuffers()

    fun run(codes: ByteArray): ByteArray {
        inputs[0].writeInt8(codes)
        model.run(inputs, outputs)
        return outputs[0].readInt8()
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
        environment.close()
    }

    private companion object {
        fun environmentOptions(options: EqOptions?): Map<Environment.Option, String> {
            if (options == null) return emptyMap()
            val handle = EqAccelerator.handle(options)
            return mapOf(Environment.Option.SystemGpuAcceleratorHandle to handle)
        }
    }
}
