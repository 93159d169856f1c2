// What the example takes of LiteRT 2.3's Kotlin interface, by its published sources, and nothing behind it: LiteRT's package is
// in Google's Maven repository alone. A member that the example comes to use has to be looked up and added here.
package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class Environment private constructor() : AutoCloseable {
    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir, SystemGpuAcceleratorHandle }

    override fun close() = TODO()

    companion object {
        @JvmStatic @JvmOverloads fun create(options: Map<Option, String> = mapOf()): Environment = TODO()
    }
}

class TensorBuffer internal constructor() : AutoCloseable {
    fun writeInt8(data: ByteArray): Unit = TODO()

    fun readInt8(): ByteArray = TODO()

    override fun close() = TODO()
}

class CompiledModel private constructor() : AutoCloseable {
    class Options(internal vararg val accelerators: Accelerator) {
        companion object {
            @JvmStatic val CPU = Options(Accelerator.CPU)
        }
    }

    @JvmOverloads fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO()

    @JvmOverloads fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO()

    @JvmOverloads
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0): Unit = TODO()

    override fun close() = TODO()

    companion object {
        @JvmStatic
        @JvmOverloads
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options.CPU,
            optionalEnv: Environment? = null,
        ): CompiledModel = TODO()
    }
}
